//! [`Identity`]: who this process is to Microsoft Entra ID, for the hub and for Blob storage alike.

use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret as AzureSecret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use event_source::{ErrorKind, Secret, SourceError};
use object_store::azure::MicrosoftAzureBuilder;

/// What is known of an identity; a part that is `None` is not configured.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The directory.
    pub tenant_id: Option<String>,
    /// The application or the managed identity.
    pub client_id: Option<String>,
    /// The application's secret.
    pub client_secret: Option<Secret>,
    /// Where Kubernetes puts the service account's token (workload identity).
    pub federated_token_file: Option<String>,
    /// `https://login.microsoftonline.com`, or that of another cloud.
    pub authority_host: Option<String>,
}

/// The ways to log in, in the order in which they are looked for.
enum Login<'a> {
    Secret { tenant: &'a str, client: &'a str, secret: &'a Secret },
    Workload { tenant: &'a str, client: &'a str, file: &'a str },
    Managed,
}

impl Identity {
    fn login(&self) -> Login<'_> {
        let Self { tenant_id, client_id, client_secret, federated_token_file, .. } = self;
        match (tenant_id, client_id, client_secret, federated_token_file) {
            (Some(tenant), Some(client), Some(secret), _) => Login::Secret { tenant, client, secret },
            (Some(tenant), Some(client), None, Some(file)) => Login::Workload { tenant, client, file },
            _ => Login::Managed,
        }
    }

    /// How messages call it.
    pub fn title(&self) -> &'static str {
        match self.login() {
            Login::Secret { .. } => "a client secret",
            Login::Workload { .. } => "a workload identity",
            Login::Managed => "a managed identity",
        }
    }

    /// Tokens for the hub.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when what is configured cannot be an identity.
    pub fn credential(&self) -> Result<Arc<dyn TokenCredential>, SourceError> {
        let client_options = self.client_options();
        let credential: azure_core::Result<Arc<dyn TokenCredential>> = match self.login() {
            Login::Secret { tenant, client, secret } => ClientSecretCredential::new(
                tenant,
                client.to_owned(),
                AzureSecret::new(secret.expose().to_owned()),
                Some(ClientSecretCredentialOptions { client_options }),
            )
            .map(|credential| credential as _),
            Login::Workload { tenant, client, file } => {
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    client_id: Some(client.to_owned()),
                    tenant_id: Some(tenant.to_owned()),
                    token_file_path: Some(file.into()),
                    ..Default::default()
                }))
                .map(|credential| credential as _)
            }
            Login::Managed => ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: self.client_id.clone().map(UserAssignedId::ClientId),
                client_options,
            }))
            .map(|credential| credential as _),
        };
        credential.map_err(|error| {
            let title = self.title();
            SourceError::new(
                ErrorKind::Config,
                format!("{title} cannot be used: check `tenant_id`, `client_id` and `authority_host`"),
            )
            .because(error)
        })
    }

    fn client_options(&self) -> ClientOptions {
        let mut options = ClientOptions::default();
        if let Some(host) = &self.authority_host {
            let mut cloud = CustomConfiguration::default();
            cloud.authority_host.clone_from(host);
            options.cloud = Some(Arc::new(CloudConfiguration::Custom(cloud)));
        }
        options
    }

    /// The same for Blob storage.
    pub(crate) fn configure(&self, mut builder: MicrosoftAzureBuilder) -> MicrosoftAzureBuilder {
        if let Some(client) = &self.client_id {
            builder = builder.with_client_id(client);
        }
        if let Some(tenant) = &self.tenant_id {
            builder = builder.with_tenant_id(tenant);
        }
        if let Some(host) = &self.authority_host {
            // The tenant is appended with a slash of its own.
            builder = builder.with_authority_host(host.trim_end_matches('/'));
        }
        match self.login() {
            Login::Secret { secret, .. } => {
                builder.with_client_secret(secret.expose()).with_credential_type("client_secret")
            }
            Login::Workload { file, .. } => {
                builder.with_federated_token_file(file).with_credential_type("workload_identity")
            }
            Login::Managed => builder.with_credential_type("managed_identity"),
        }
    }
}
