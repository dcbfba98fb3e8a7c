//! FLAC files that hold one value for a long time: a few bytes that decode to many.

/// Frames of sound in one block.
pub const BLOCK: usize = 65_535;

/// Encodes this many blocks of one value, in one or more channels.
pub fn flac(rate: u32, channels: u8, blocks: u32, value: i16) -> Vec<u8> {
    let mut file = b"fLaC\x80\0\0\x22".to_vec();
    for size in [BLOCK as u16; 2] {
        file.extend(size.to_be_bytes());
    }
    // The smallest and largest block sizes in bytes are given as unknown.
    file.extend([0; 6]);
    let frames = u64::from(blocks) * BLOCK as u64;
    let packed = u64::from(rate) << 44 | u64::from(channels - 1) << 41 | 15 << 36 | frames;
    file.extend(packed.to_be_bytes());
    file.extend([0; 16]);
    for number in 0..blocks {
        file.extend(block(channels, number, value));
    }
    file
}

fn block(channels: u8, number: u32, value: i16) -> Vec<u8> {
    // Fixed block size, given at the end of the header; sample rate of the file; 16 bits.
    let mut block = vec![0xff, 0xf8, 0x70, (channels - 1) << 4 | 0x08];
    let letter = char::from_u32(number).expect("fewer blocks than letters");
    block.extend(letter.encode_utf8(&mut [0; 4]).bytes());
    block.extend((BLOCK as u16 - 1).to_be_bytes());
    block.push(crc(&block, 8, 0x07) as u8);
    for _ in 0..channels {
        // A constant subframe.
        block.push(0);
        block.extend(value.to_be_bytes());
    }
    let sum = crc(&block, 16, 0x8005);
    block.extend(sum.to_be_bytes());
    block
}

/// Computes a cyclic redundancy check of `bits` bits, the highest first, starting from zero.
fn crc(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    let top = 1_u32 << (bits - 1);
    let sum = bytes.iter().fold(0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << (bits - 8), |sum, _| {
            let shifted = sum << 1 & ((top << 1) - 1);
            if sum & top == 0 { shifted } else { shifted ^ u32::from(polynomial) }
        })
    });
    sum as u16
}
