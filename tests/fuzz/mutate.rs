//! The mutations: small ones that keep a file's shape, and numbers that sizes and offsets do not expect.

/// A seeded source of mutated inputs.
pub struct Mutator(u64);

impl Mutator {
    /// The same seed gives the same inputs, on every machine.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below `bound` (xorshift); 0 if there is none.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(usize::MAX) % bound.max(1)
    }

    /// One of `seeds` with one to eight changes.
    pub fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(8) {
            self.change(&mut bytes, seeds);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        const NUMBERS: [u64; 10] =
            [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];
        // Half of the changes near either end, where headers and section tables are.
        let at = match self.below(4) {
            0 => self.below(bytes.len().min(64)),
            1 => bytes.len().saturating_sub(1 + self.below(bytes.len().min(1024))),
            _ => self.below(bytes.len()),
        };
        match self.below(8) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => {
                let value = self.below(256);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(value).unwrap();
                }
            }
            2 | 3 => {
                let number = NUMBERS[self.below(NUMBERS.len())].to_le_bytes();
                let width = [1, 2, 4, 8][self.below(4)].min(bytes.len() - at.min(bytes.len()));
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            4 => {
                // A small step in what may be a size or an offset.
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = byte.wrapping_add([1, 255, 4, 252, 8, 16][self.below(6)]);
                }
            }
            5 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                let length = self.below(32).min(other.len() - from);
                bytes.splice(at..at, other[from..from + length].iter().copied());
            }
            6 => {
                let end = (at + self.below(32)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            _ => {
                if self.below(4) == 0 {
                    bytes.truncate(at);
                } else {
                    let length = self.below(64).min(bytes.len() - at.min(bytes.len()));
                    let to = self.below(bytes.len() - length + 1);
                    bytes.copy_within(at..at + length, to);
                }
            }
        }
    }
}
