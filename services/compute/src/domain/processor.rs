//! What layouts are computed on, as operators and clients name it.

use weft_kernels::{Device, Devices, Processor};

/// What a device option may be.
pub(crate) const FORMS: &str =
    "`cpu`, `auto`, `cuda:all`, or `cuda:` and numbers of devices below 64, as in `cuda:0,1`";

/// Reads what an operator has set.
pub(crate) fn parse(device: &str) -> Option<Device> {
    match device {
        "auto" => Some(Device::Auto),
        "cpu" => Some(Device::Cpu),
        "cuda:all" => Some(Device::CudaAll),
        device => {
            let ordinals = device.strip_prefix("cuda:")?.split(',').map(number);
            Devices::new(ordinals.collect::<Option<Vec<u32>>>()?).map(Device::Cuda)
        }
    }
}

/// A number of digits alone.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The name of what a step ran on.
pub(crate) fn name(processor: Processor) -> String {
    match processor {
        Processor::Cpu => "cpu".to_owned(),
        Processor::Cuda(devices) => {
            let ordinals: Vec<String> = devices.ordinals().map(|ordinal| ordinal.to_string()).collect();
            format!("cuda:{}", ordinals.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_named() {
        assert_eq!(parse("auto"), Some(Device::Auto));
        assert_eq!(parse("cpu"), Some(Device::Cpu));
        assert_eq!(parse("cuda:all"), Some(Device::CudaAll));
        assert_eq!(parse("cuda:3"), Devices::new([3]).map(Device::Cuda));
        let devices = Devices::new([12, 0, 2]).unwrap();
        assert_eq!(parse("cuda:2,0,12"), Some(Device::Cuda(devices)));
        assert_eq!(name(Processor::Cuda(devices)), "cuda:0,2,12");
        assert_eq!(parse(&name(Processor::Cuda(devices))), Some(Device::Cuda(devices)));
        assert_eq!(name(Processor::Cuda(Devices::FIRST)), "cuda:0");
        assert_eq!(name(Processor::Cpu), "cpu");
        let one = [
            "",
            "gpu",
            "cuda",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda: 1",
            "cuda:99999999999",
            "cuda:64",
            "CPU",
        ];
        let several =
            ["cuda:0,", "cuda:,1", "cuda:0,0", "cuda:0, 1", "cuda:0,all", "cuda:ALL", "all", "cuda:0;1"];
        for bad in one.into_iter().chain(several) {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
