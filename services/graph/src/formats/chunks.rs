//! Bytes of a file that is written, on their way out.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Most bytes of one chunk.
pub const MAX_CHUNK_BYTES: usize = 256 << 10;

/// Collects bytes, compresses them if asked, and cuts them into chunks.
pub(super) struct Chunks {
    sink: ChunkSink,
    finished: bool,
}

enum ChunkSink {
    Plain(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Chunks {
    pub(super) fn new(gzip: bool) -> Self {
        let sink = if gzip {
            ChunkSink::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::fast())))
        } else {
            ChunkSink::Plain(Vec::new())
        };
        Self { sink, finished: false }
    }

    /// Adds bytes to the file.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        match &mut self.sink {
            ChunkSink::Plain(buffer) => buffer.extend_from_slice(bytes),
            ChunkSink::Gzip(encoder) => {
                encoder.write_all(bytes).expect("writing to memory does not fail before the end");
            }
        }
    }

    /// Adds a file to a tar archive.
    pub(super) fn write_file(&mut self, path: &str, content: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // The builder writes long paths in a record of their own; it wants a writer of its own, too.
        let mut builder = tar::Builder::new(Vec::with_capacity(content.len() + 2048));
        builder.append_data(&mut header, path, content).expect("the path was made to be safe");
        self.write(builder.get_ref());
    }

    /// Ends a tar archive.
    pub(super) fn end_archive(&mut self) {
        self.write(&[0; 1024]);
    }

    /// Ends the file.
    pub(super) fn finish(&mut self) {
        if let ChunkSink::Gzip(encoder) = &mut self.sink {
            encoder.try_finish().expect("writing to memory does not fail");
        }
        self.finished = true;
    }

    /// Takes what is ready: whole chunks, and the rest once the file has ended.
    pub(super) fn drain(&mut self) -> Vec<Bytes> {
        let buffer = match &mut self.sink {
            ChunkSink::Plain(buffer) => buffer,
            ChunkSink::Gzip(encoder) => encoder.get_mut(),
        };
        let ready =
            if self.finished { buffer.len() } else { buffer.len() / MAX_CHUNK_BYTES * MAX_CHUNK_BYTES };
        if ready == 0 {
            return Vec::new();
        }
        let rest = buffer.split_off(ready);
        let mut ready = Bytes::from(std::mem::replace(buffer, rest));
        let mut chunks = Vec::with_capacity(ready.len() / MAX_CHUNK_BYTES + 1);
        while ready.len() > MAX_CHUNK_BYTES {
            chunks.push(ready.split_to(MAX_CHUNK_BYTES));
        }
        chunks.push(ready);
        chunks
    }
}
