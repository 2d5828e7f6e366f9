//! What layouts are computed on, as operators and clients name it.

use weft_kernels::{Device, Processor};

/// What a device option may be.
pub(crate) const FORMS: &str = "`auto`, `cpu` or `cuda:N` with the number of a device";

/// Reads what an operator has set.
pub(crate) fn parse(device: &str) -> Option<Device> {
    match device {
        "auto" => Some(Device::Auto),
        "cpu" => Some(Device::Cpu),
        device => {
            let ordinal = device.strip_prefix("cuda:")?;
            let is_number = !ordinal.is_empty() && ordinal.bytes().all(|digit| digit.is_ascii_digit());
            is_number.then(|| ordinal.parse().ok().map(Device::Cuda))?
        }
    }
}

/// The name of what a step ran on.
pub(crate) fn name(processor: Processor) -> String {
    match processor {
        Processor::Cpu => "cpu".to_owned(),
        Processor::Cuda(ordinal) => format!("cuda:{ordinal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_named() {
        assert_eq!(parse("auto"), Some(Device::Auto));
        assert_eq!(parse("cpu"), Some(Device::Cpu));
        assert_eq!(parse("cuda:3"), Some(Device::Cuda(3)));
        assert_eq!(parse(&name(Processor::Cuda(12))), Some(Device::Cuda(12)));
        for bad in ["", "gpu", "cuda", "cuda:", "cuda:-1", "cuda:+1", "cuda: 1", "cuda:99999999999", "CPU"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
