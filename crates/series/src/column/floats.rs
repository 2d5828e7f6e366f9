//! Doubles as they are: each as what differs from the one before, the bytes of equal weight together, and zstd.

use crate::varint::{DecodeError, Reader, write_bytes};

/// Fewer are not worth a frame of zstd.
const FEW: usize = 16;

pub(super) fn encode(values: &[f64], out: &mut Vec<u8>) {
    let planes = planes(values);
    if values.len() >= FEW
        && let Ok(small) = zstd::bulk::compress(&planes, 1)
        && small.len() < planes.len()
    {
        out.push(1);
        return write_bytes(out, &small);
    }
    out.push(0);
    out.extend(planes);
}

pub(super) fn decode(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, DecodeError> {
    let planes = match reader.byte()? {
        0 => reader.take(count * 8)?.to_vec(),
        _ => zstd::bulk::decompress(reader.bytes()?, count * 8)
            .map_err(|_| DecodeError("holds floats that cannot be read"))?,
    };
    if planes.len() != count * 8 {
        return Err(DecodeError("holds too few floats"));
    }
    let mut last = 0;
    Ok((0..count)
        .map(|row| {
            let difference = (0..8).fold(0, |bits, plane| bits << 8 | u64::from(planes[plane * count + row]));
            last ^= difference;
            f64::from_bits(last)
        })
        .collect())
}

fn planes(values: &[f64]) -> Vec<u8> {
    let mut planes = vec![0; values.len() * 8];
    let mut last = 0;
    for (row, value) in values.iter().enumerate() {
        let difference = value.to_bits() ^ last;
        last = value.to_bits();
        for (plane, byte) in difference.to_be_bytes().into_iter().enumerate() {
            planes[plane * values.len() + row] = byte;
        }
    }
    planes
}
