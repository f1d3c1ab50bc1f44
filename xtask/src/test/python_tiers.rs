//! The tiers that need Python: official clients and moto, in a virtual environment below the
//! target folder.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::environment::{Environment, check, count};
use super::tally::Tally;
use crate::apt;
use crate::process::{self, checked};

/// Below the checkout: what to install, and the tests that need it.
const FIDELITY: &str = "tests/emulators/fidelity";

/// Makes the virtual environment, once for each state of the requirements; it checks nothing.
pub(super) fn prepare(environment: &Environment) -> Result<Tally> {
    let requirements = environment.workspace.root().join(FIDELITY).join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read `{}`", requirements.display()))?;
    let folder = environment.workspace.target("python");
    let installed = environment.installed();
    if fs::read_to_string(&installed).is_ok_and(|it| it == wanted) {
        println!("{} is up to date", folder.display());
        return Ok(Tally::default());
    }
    let Some(python) = process::on_path("python3") else {
        return Ok(Tally::skip("no python3 on the PATH".to_owned()));
    };
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let line = |line: &str| println!("{line}");
    let mut venv = Command::new(python);
    venv.args(["-m", "venv"]).arg(&folder);
    let mut pip = Command::new(environment.python());
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements);
    let made = checked(&mut venv, line).or_else(|why| {
        // Debian's Python comes without it.
        apt::install("python3-venv", line).context(why)?;
        checked(&mut venv, line)
    });
    if let Err(why) = made.and_then(|()| checked(&mut pip, line)) {
        return Ok(Tally::skip(format!("cannot install {FIDELITY}/requirements.txt: {why:#}")));
    }
    fs::write(installed, wanted)?;
    Ok(Tally::default())
}

/// The emulators, moto and Azurite, asked by the official clients.
pub(super) fn fidelity(environment: &Environment) -> Result<Tally> {
    let workspace = &environment.workspace;
    if !environment.has_python() {
        return Ok(Tally::skip("no Python packages, see the tier python".to_owned()));
    }
    let built = check("emulators", workspace.cargo().args(["build", "--package", "emulators"]))?;
    if built.failed > 0 {
        return Ok(built);
    }
    let mut pytest = Command::new(environment.python());
    pytest.args(["-m", "pytest", "-q", "-rs", FIDELITY]).current_dir(workspace.root());
    pytest.env("EMULATOR", environment.emulator("debug", "cloudwatch"));
    pytest.env("EVENT_HUBS_EMULATOR", environment.emulator("debug", "event-hubs"));
    environment.tell_node(&mut pytest);
    count("pytest", &mut pytest)
}
