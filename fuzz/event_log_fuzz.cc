// A log folder whose only segment was damaged anywhere: opening either refuses and changes nothing,
// or finds a beginning of what was written, and then goes on working. The input builds a segment,
// frame by frame, and says which of its bytes to overwrite and where to cut it; or it is the
// segment.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <string>
#include <vector>

#include "store/event_log.h"
#include "store/segment.h"
#include "tests/memory_files.h"
#include "tests/temp_folder.h"

using namespace vitrine;

namespace {

struct Segment {
  std::string bytes;
  std::vector<std::string> payloads;  // of the frames, in order
};

Segment build(FuzzedDataProvider& input) {
  Segment segment;
  append_segment_header(1, segment.bytes);
  std::uint64_t durable = segment.bytes.size();
  for (int frames = input.ConsumeIntegralInRange(0, 6); frames > 0; --frames) {
    const std::uint64_t first = segment.payloads.size() + 1;
    FrameBuilder frame(segment.bytes);
    for (int records = input.ConsumeIntegralInRange(0, 3); records > 0; --records) {
      segment.payloads.push_back(input.ConsumeRandomLengthString(40));
      const std::string id = input.ConsumeRandomLengthString(8);
      frame.add({RecordKind::kEvent, id, as_bytes(segment.payloads.back())}, hash_id(id));
    }
    frame.finish(first, durable);
    if (input.ConsumeBool()) durable = segment.bytes.size();
  }
  return segment;
}

void damage(FuzzedDataProvider& input, std::string& bytes) {
  for (int flips = input.ConsumeIntegralInRange(0, 4); flips > 0 && !bytes.empty(); --flips)
    bytes[input.ConsumeIntegralInRange<std::size_t>(0, bytes.size() - 1)] =
        input.ConsumeIntegral<char>();
  if (input.ConsumeBool()) bytes.resize(input.ConsumeIntegralInRange<std::size_t>(0, bytes.size()));
  bytes += input.ConsumeRandomLengthString(60);
}

std::vector<std::string> read_all(const EventLog& log) {
  std::vector<std::string> found;
  VT_CHECK(log.read(1,
                    [&](const LogRecord& record) -> Status {
                      found.emplace_back(as_text(record.payload));
                      return {};
                    })
               .ok());
  VT_CHECK(found.size() == log.last_sequence());
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TempFolder folder;
  FuzzedDataProvider input(data, size);
  const bool built = input.ConsumeBool();
  Segment segment;
  if (built) {
    segment = build(input);
    damage(input, segment.bytes);
  } else {
    segment.bytes = input.ConsumeRemainingBytesAsString();
  }
  MemoryFiles files;
  const std::string path = folder.path() + "/" + segment_name(1);
  VT_CHECK((*files.create(path))->append(as_bytes(segment.bytes)).ok());
  EventLogOptions options;
  options.window = 16;
  std::vector<std::string> found;
  {
    const auto log = open_file_log(files, folder.path(), options);
    if (!log.ok()) {
      VT_CHECK(log.error().message.find(path) == 0);
      VT_CHECK(*read_file(files, path) == segment.bytes);
      return 0;
    }
    found = read_all(**log);
    for (std::size_t i = 0; built && i < found.size(); ++i)
      VT_CHECK(found[i] == segment.payloads[i]);
    const NewRecord record{RecordKind::kEvent, "", as_bytes("more")};
    VT_CHECK((*log)->append(std::span(&record, 1)).ok());
    found.emplace_back("more");
  }
  const auto log = open_file_log(files, folder.path(), options);
  VT_CHECK(log.ok() && read_all(**log) == found);
  return 0;
}
