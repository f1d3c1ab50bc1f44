//! TLS: from files in PEM to what a connection begins with.

use std::path::Path;
use std::sync::Arc;

use event_source::{ErrorKind, SourceError};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, version};

use crate::TlsFiles;
use crate::watched::Watched;

/// Reads the files for the first time.
pub(crate) async fn open(files: &TlsFiles) -> Result<Watched<TlsAcceptor>, SourceError> {
    let TlsFiles { certificate, key, client_ca } = files.clone();
    let paths = [Some(certificate), key, client_ca].into_iter().flatten().collect();
    let files = files.clone();
    Watched::open("certificate", paths, move |contents| make(&files, contents)).await
}

fn make(files: &TlsFiles, contents: &[Vec<u8>]) -> Result<TlsAcceptor, SourceError> {
    let mut rest = contents.iter();
    let mut next = || rest.next().map(Vec::as_slice).unwrap_or_default();
    let chain_pem = next();
    let (key_path, key_pem) =
        files.key.as_ref().map_or((&files.certificate, chain_pem), |path| (path, next()));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| wrong(&files.certificate, "cannot be used").because(error))?;
    let builder = match &files.client_ca {
        Some(path) => builder.with_client_cert_verifier(verifier(path, next(), provider)?),
        None => builder.with_no_client_auth(),
    };
    let chain = certificates(&files.certificate, chain_pem)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| match error {
        pem::Error::NoItemsFound => wrong(
            key_path,
            "holds no private key: name the key's file, or append the key; an encrypted one cannot be read",
        ),
        error => wrong(key_path, &format!("holds a private key that is no PEM: {}", problem(&error))),
    })?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        wrong(&files.certificate, "and its key cannot be used: check that they belong together")
            .because(error)
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Who checks the certificates of clients: there is no way around it, and no connection without.
fn verifier(
    path: &Path,
    pem: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, SourceError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots
            .add(certificate)
            .map_err(|error| wrong(path, "holds a certificate that cannot be used").because(error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| wrong(path, "cannot be used").because(error))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(path, &format!("is no PEM: {}", problem(&error))))?;
    if certificates.is_empty() {
        return Err(wrong(path, "holds no certificate: it has to be PEM, with `BEGIN CERTIFICATE`"));
    }
    Ok(certificates)
}

/// What is wrong with a PEM, without the lines that its own message repeats: they may be a key's.
const fn problem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a line `-----END` is missing: check that its lines are kept",
        pem::Error::IllegalSectionStart { .. } => {
            "a line `-----BEGIN` does not end as it should: check that its lines are kept"
        }
        pem::Error::Base64Decode(_) => "something between `-----BEGIN` and `-----END` is no base64",
        _ => "it cannot be read",
    }
}

fn wrong(path: &Path, why: &str) -> SourceError {
    SourceError::new(ErrorKind::Config, format!("the file `{}` {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn made() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[track_caller]
    fn check(key: Option<&str>, contents: &[&str], expect: &str) {
        let key = key.map(Into::into);
        let client_ca = (contents.len() > 1 && key.is_none()).then(|| "ca.pem".into());
        let files = TlsFiles { certificate: "falco.pem".into(), key, client_ca };
        let contents: Vec<_> = contents.iter().map(|text| text.as_bytes().to_vec()).collect();
        let shown = match make(&files, &contents) {
            Ok(_) => "works".to_owned(),
            Err(error) => event_source::chain(&error),
        };
        assert!(shown.contains(expect), "{shown}");
        assert!(!shown.contains("MIG"), "{shown}");
    }

    #[test]
    fn files_are_read_or_what_is_wrong_with_them_is_told() {
        let ((certificate, key), (other, other_key)) = (made(), made());
        let both = format!("{key}{certificate}");
        let on_one_line = both.replace('\n', " ");
        check(None, &[&both], "works");
        check(None, &[&both, &other], "works");
        check(Some("key.pem"), &[&certificate, &key], "works");
        check(None, &[&certificate], "`falco.pem` holds no private key");
        check(Some("key.pem"), &[&certificate, "hello"], "`key.pem` holds no private key");
        check(Some("key.pem"), &[&certificate, &other_key], "check that they belong together");
        check(None, &["hello"], "`falco.pem` holds no certificate");
        check(None, &[&on_one_line], "check that its lines are kept");
        check(Some("key.pem"), &[&certificate, &key.replace('\n', " ")], "`key.pem` holds a private key");
        check(None, &[&both, ""], "`ca.pem` holds no certificate");
    }
}
