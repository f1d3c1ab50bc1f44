//! The tiers that need Python: official clients and moto, in a virtual environment below the
//! target folder.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::environment::{Environment, check, count};
use super::tally::Tally;
use crate::process;

/// Below the checkout: what to install, and the tests that need it.
const FIDELITY: &str = "tests/emulators/fidelity";

/// Makes the virtual environment, once for each state of the requirements; it checks nothing.
pub(super) fn prepare(environment: &Environment) -> Result<Tally> {
    let requirements = environment.workspace.root().join(FIDELITY).join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read `{}`", requirements.display()))?;
    let folder = environment.workspace.target("python");
    let installed = folder.join("installed.txt");
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
    let mut steps = [Command::new(python), Command::new(environment.python())];
    let [venv, pip] = &mut steps;
    venv.args(["-m", "venv"]).arg(&folder);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements);
    for step in &mut steps {
        let mut last = String::new();
        let status = process::lines(step, |line| {
            println!("{line}");
            line.clone_into(&mut last);
        })?;
        if !status.success() {
            return Ok(Tally::skip(format!("cannot install {FIDELITY}/requirements.txt: {last}")));
        }
    }
    fs::write(installed, wanted)?;
    Ok(Tally::default())
}

/// The emulator and moto asked the same by the official client.
pub(super) fn fidelity(environment: &Environment) -> Result<Tally> {
    let workspace = &environment.workspace;
    if !workspace.target("python/installed.txt").is_file() {
        return Ok(Tally::skip("no Python packages, see the tier python".to_owned()));
    }
    let built = check("emulators", workspace.cargo().args(["build", "--package", "emulators"]))?;
    if built.failed > 0 {
        return Ok(built);
    }
    let mut pytest = Command::new(environment.python());
    pytest.args(["-m", "pytest", "-q", FIDELITY]).current_dir(workspace.root());
    count("pytest", pytest.env("EMULATOR", environment.emulator("debug")))
}
