//! How many messages a link may hold ahead: AMQP counts messages, memory counts bytes.

/// The largest message that an Event Hub takes.
const LARGEST: usize = 1 << 20;
/// More credit makes nothing faster.
const MOST: u32 = 2000;

/// The credit of a link whose messages may take `share` bytes and measure `mean` bytes; `None`: nobody knows yet.
pub(crate) fn credit(share: usize, mean: Option<usize>) -> u32 {
    let each = mean.unwrap_or(LARGEST).clamp(256, LARGEST);
    u32::try_from(share / each).unwrap_or(MOST).clamp(1, MOST)
}

/// Whether a link with `current` credit is worth opening again with `wanted`: that reads its messages anew.
pub(crate) fn is_far_off(current: u32, wanted: u32) -> bool {
    wanted >= current.saturating_mul(4) || wanted.saturating_mul(3) <= current
}

/// The mean size of messages, the last ones counting most; it follows large messages faster than small ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MeanSize {
    mean: f64,
    count: u32,
}

impl MeanSize {
    /// Before that many messages the mean says little.
    const ENOUGH: u32 = 8;

    pub(crate) fn add(&mut self, bytes: usize) {
        let bytes = bytes as f64;
        self.count = self.count.saturating_add(1);
        let weight = match self.count {
            first if first <= Self::ENOUGH => f64::from(first),
            _ if bytes > self.mean => 4.0,
            _ => 64.0,
        };
        self.mean += (bytes - self.mean) / weight;
    }

    pub(crate) fn get(self) -> Option<usize> {
        (self.count >= Self::ENOUGH).then_some(self.mean as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_follows_the_share() {
        assert_eq!(credit(3 << 20, None), 3);
        assert_eq!(credit(3 << 20, Some(2048)), 1536);
        assert_eq!(credit(1 << 30, Some(10)), MOST);
        assert_eq!(credit(10, Some(1 << 20)), 1, "a partition is never without credit");
    }

    #[test]
    fn large_messages_are_noticed_soon_small_ones_late() {
        let mut mean = MeanSize::default();
        (0..7).for_each(|_| mean.add(1000));
        assert_eq!(mean.get(), None);
        mean.add(1000);
        assert_eq!(mean.get(), Some(1000));
        (0..8).for_each(|_| mean.add(1 << 20));
        assert!(mean.get() > Some(800_000));
        (0..8).for_each(|_| mean.add(1000));
        assert!(mean.get() > Some(700_000));
    }

    #[test]
    fn a_link_is_opened_again_only_for_much() {
        assert!(is_far_off(3, 12) && is_far_off(1000, 300));
        assert!(!is_far_off(3, 11) && !is_far_off(1000, 400) && !is_far_off(1, 1));
    }
}
