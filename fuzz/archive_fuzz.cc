// Any bytes, and a whole archive with bytes of the input written over it, once as they are and once
// with the checksums made right again, so that what lies behind them is reached. Whatever opens is
// read whole.
#include "base/archive.h"

#include <cstring>

#include "base/archive_format.h"
#include "tests/memory_files.h"

using namespace vitrine;           // NOLINT
using namespace vitrine::archive;  // NOLINT

namespace {

void read_all(const std::string& bytes) {
  MemoryFiles files;
  files.put("./x", bytes);
  const auto opened = ArchiveReader::open(files, "./x", "fuzz");
  if (!opened.ok()) {
    VT_CHECK(!opened.error().message.empty());
    return;
  }
  const ArchiveReader& reader = **opened;
  std::uint64_t sum = 0;
  const auto touch = [&](const auto& tensor) {
    if (tensor.ok()) sum += hash(std::as_bytes(tensor.value().span()));
  };
  for (const std::string& name : reader.names()) {
    VT_CHECK(reader.has(name) && reader.shape(name).ok());
    touch(reader.tensor<std::uint8_t>(name));
    touch(reader.tensor<std::uint16_t>(name));
    touch(reader.tensor<std::int32_t>(name));
    touch(reader.tensor<std::int64_t>(name));
    touch(reader.tensor<float>(name));
    touch(reader.tensor<double>(name));
    const auto strings = reader.strings(name);
    if (strings.ok()) sum += strings.value().size();
    (void)reader.document(name);
  }
}

std::string whole_archive() {
  MemoryFiles files;
  ArchiveWriter writer(files, "./x", "fuzz");
  writer.tensor("a", std::vector<float>(20, 1), {4, 5});
  writer.strings("b", std::vector<std::string>{"one", "", "three"});
  writer.document("c", Table{{"k", 1}});
  writer.tensor("d", std::vector<std::uint8_t>{7});
  VT_CHECK(writer.finish().ok());
  return read_file(files, "./x").value();
}

void rehash(std::string& bytes, std::size_t from, std::size_t length, std::size_t at) {
  if (at + 8 > bytes.size() || from > bytes.size() || length > bytes.size() - from) return;
  const std::uint64_t sum = hash(as_bytes(std::string_view(bytes).substr(from, length)));
  std::memcpy(bytes.data() + at, &sum, sizeof sum);
}

// Makes header, blocks, directory and footer agree with their checksums as far as they can be
// found.
void repair(std::string& bytes) {
  if (bytes.size() < sizeof(Header) + sizeof(Footer)) return;
  rehash(bytes, 0, offsetof(Header, checksum), offsetof(Header, checksum));
  const std::size_t footer_at = bytes.size() - sizeof(Footer);
  Footer footer;
  std::memcpy(&footer, bytes.data() + footer_at, sizeof footer);
  for (std::size_t at = footer.directory_offset; at < footer_at && footer_at - at >= 40;) {
    EntryHead head;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    rehash(bytes, head.offset, head.length, at + offsetof(EntryHead, checksum));
    at += aligned(sizeof head + std::size_t{head.rank} * 8 + head.name_length, 8);
  }
  rehash(bytes, footer.directory_offset, footer.directory_length,
         footer_at + offsetof(Footer, directory_checksum));
  rehash(bytes, footer_at, offsetof(Footer, checksum), footer_at + offsetof(Footer, checksum));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string whole = whole_archive();
  read_all(std::string(reinterpret_cast<const char*>(data), size));
  std::string patched = whole;  // triples: place (two bytes), byte
  for (std::size_t i = 0; i + 3 <= size; i += 3) {
    patched[(data[i] * 256U + data[i + 1]) % patched.size()] = static_cast<char>(data[i + 2]);
  }
  read_all(patched);
  repair(patched);
  read_all(patched);
  return 0;
}
