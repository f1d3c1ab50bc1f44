//! Who reads which partition: what one process may take, by what it sees of the others.
//!
//! All processes decide for themselves, so two may want the same partition; the store's ETags let one of them have it.

use std::collections::HashMap;

/// Who holds a partition, as far as can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nobody, or somebody who has not renewed it for too long.
    Nobody,
    Me,
    Other(String),
}

/// What to take.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Partitions of nobody, by index.
    pub(crate) free: Vec<usize>,
    /// One partition of somebody who has more than their share: one at a time, so that nobody overshoots.
    pub(crate) steal: Option<usize>,
}

/// What to take, given who holds what. Partitions of nobody are taken at once, up to a fair share.
pub(crate) fn claims(holders: &[Holder], random: &mut fastrand::Rng) -> Claims {
    let mut others: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut free = Vec::new();
    let mut mine = 0;
    for (index, holder) in holders.iter().enumerate() {
        match holder {
            Holder::Nobody => free.push(index),
            Holder::Me => mine += 1,
            Holder::Other(owner) => others.entry(owner).or_default().push(index),
        }
    }
    let processes = others.len() + 1;
    let least = holders.len() / processes;
    let most = holders.len().div_ceil(processes);
    random.shuffle(&mut free);
    free.truncate(most.saturating_sub(mine));
    if !free.is_empty() {
        return Claims { free, steal: None };
    }
    let richest = others.values().max_by_key(|partitions| partitions.len());
    let steal = richest
        .filter(|theirs| (mine < least && theirs.len() > least) || (mine < most && theirs.len() > most))
        .and_then(|theirs| random.choice(theirs).copied());
    Claims { free, steal }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holders(text: &str) -> Vec<Holder> {
        let holder = |name| match name {
            '-' => Holder::Nobody,
            'm' => Holder::Me,
            other => Holder::Other(String::from(other)),
        };
        text.chars().map(holder).collect()
    }

    #[track_caller]
    fn check(text: &str, free: usize, steals_from: Option<char>) {
        let holders = holders(text);
        let claims = claims(&holders, &mut fastrand::Rng::with_seed(1));
        assert_eq!(claims.free.len(), free, "{text}");
        assert!(claims.free.iter().all(|index| holders[*index] == Holder::Nobody));
        let from = claims.steal.map(|index| text.chars().nth(index).expect("a partition"));
        assert_eq!(from, steals_from, "{text}");
    }

    #[test]
    fn what_is_free_is_taken_up_to_a_fair_share() {
        check("--------", 8, None);
        check("aaaa----", 4, None);
        check("aabb----", 3, None);
        check("aaammm--", 1, None);
        check("aaaammmm", 0, None);
        check("", 0, None);
    }

    #[test]
    fn one_is_stolen_from_the_richest_when_others_have_more() {
        check("aaaaaaaa", 0, Some('a'));
        check("aaaaaamm", 0, Some('a'));
        assert!(steal_of("aaaabbbb").is_some());
        check("aaaaabmm", 0, Some('a'));
        check("aaabbbmm", 0, None);
        check("aam", 0, None);
        check("abm", 0, None);
        check("a", 0, None);
    }

    fn steal_of(text: &str) -> Option<char> {
        let claims = claims(&holders(text), &mut fastrand::Rng::with_seed(1));
        claims.steal.and_then(|index| text.chars().nth(index))
    }

    /// Whatever joins or leaves, everybody ends with a fair share after as many rounds as there are partitions.
    #[test]
    fn everybody_ends_with_a_fair_share() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let partitions = random.usize(1..33);
            let processes = random.usize(1..10);
            let mut held: Vec<Option<usize>> =
                (0..partitions).map(|_| random.bool().then(|| random.usize(0..processes))).collect();
            for _ in 0..=partitions {
                for me in 0..processes {
                    let view: Vec<_> = held
                        .iter()
                        .map(|holder| match holder {
                            None => Holder::Nobody,
                            Some(owner) if *owner == me => Holder::Me,
                            Some(owner) => Holder::Other(owner.to_string()),
                        })
                        .collect();
                    let claims = claims(&view, &mut random);
                    claims.free.iter().chain(&claims.steal).for_each(|index| held[*index] = Some(me));
                }
            }
            let count = |me| held.iter().filter(|holder| **holder == Some(me)).count();
            let counts: Vec<_> = (0..processes).map(count).collect();
            assert!(held.iter().all(Option::is_some), "{held:?}");
            let (least, most) = (partitions / processes, partitions.div_ceil(processes));
            assert!(counts.iter().all(|count| (least..=most).contains(count)), "{counts:?} of {partitions}");
        }
    }
}
