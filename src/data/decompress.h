// A file as the bytes that were compressed into it: gzip and zstd are recognised by their first
// bytes, concatenated members and frames are read as one, anything else passes through. Memory is
// bounded (zstd windows up to 128 MiB, the format's own recommendation).
#pragma once

#include <cstdint>
#include <memory>

#include "base/file.h"

namespace vitrine {

class DecompressedFile : public SequentialFile {
 public:
  // Bytes of the compressed file that have been read so far.
  virtual std::uint64_t consumed() const = 0;
};

// A stream that is cut short, damaged, or followed by something else is a kInvalid error of read(),
// after all bytes before the damage have been handed out. Messages do not name the file: the caller
// does.
Result<std::unique_ptr<DecompressedFile>> decompress(std::unique_ptr<SequentialFile> file);

}  // namespace vitrine
