//! [`Page`]: `docs/performance.md`, the figures in which are written by a run.

use std::fs;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// What a run has to say.
pub(crate) struct Page<'p> {
    /// Goes between the marks.
    pub(crate) figures: &'p str,
    /// The picture.
    pub(crate) chart: &'p str,
}

const PAGE: &str = "docs/performance.md";
const CHART: &str = "docs/performance.svg";
const BEGIN: &str = "<!-- `cargo xtask bench --save-docs` writes from here -->";
const END: &str = "<!-- to here -->";

impl Page<'_> {
    /// Writes both files.
    ///
    /// # Errors
    /// When they cannot be written, or the page has no marks.
    pub(crate) fn save(&self, workspace: &Workspace) -> Result<()> {
        let path = workspace.root().join(PAGE);
        let page = fs::read_to_string(&path).with_context(|| format!("cannot read `{PAGE}`"))?;
        let page = replaced(&page, self.figures).with_context(|| format!("`{PAGE}` lacks its marks"))?;
        fs::write(&path, page).with_context(|| format!("cannot write `{PAGE}`"))?;
        fs::write(workspace.root().join(CHART), self.chart).with_context(|| format!("cannot write `{CHART}`"))
    }
}

/// The page with other figures between the marks.
fn replaced(page: &str, figures: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", figures.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("# A\n\n{BEGIN}\nold\n{END}\n\nend\n");
        let expect = format!("# A\n\n{BEGIN}\n\nnew\n\n{END}\n\nend\n");
        assert_eq!(replaced(&page, "new\n").as_deref(), Some(expect.as_str()));
        assert_eq!(replaced(&expect, "new").as_deref(), Some(expect.as_str()));
        assert_eq!(replaced("# A", "new"), None);
    }

    #[test]
    fn the_page_has_its_marks() {
        let page = Workspace::find().unwrap().root().join(PAGE);
        assert!(replaced(&fs::read_to_string(page).unwrap(), "").is_some());
    }
}
