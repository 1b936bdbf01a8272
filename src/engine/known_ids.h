// The ids that a log which lost old records brought once: the file `vocabulary` of a shop's folder,
// docs/formats.md. It is written before the log is compacted, so that an index goes on meaning what
// it meant: whoever folds the log begins with this vocabulary, in which records up to `sequence`
// find their ids, and adds those of later records.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/archive.h"
#include "base/file.h"
#include "data/vocabulary.h"

namespace vitrine {

struct KnownIds {
  std::uint64_t sequence = 0;  // the fold of the log up to here has this vocabulary; 0: none
  Vocabulary vocabulary;
};

// What is wrong with a log and what is known of it. The remedy is in the message.
Error lacks_records_before(std::uint64_t sequence);
Error names_unknown_ids();

// Nothing is known where there is no file.
Result<KnownIds> load_known_ids(FileSystem& files, const std::string& path);
// Durable when it returns.
Status save_known_ids(FileSystem& files, const std::string& path, const KnownIds& known);
// For a log that ends at `last`, before it goes on: what comes later is not known. Whoever only
// reads such a log takes the file to end there, and the ids of what is gone do no harm.
Status cut_known_ids(FileSystem& files, const std::string& path, std::uint64_t last);

// The same of any archive with a document `state`, as of a checkpoint.
Result<KnownIds> read_known_ids(const ArchiveReader& reader);
// Ids in the order of their indexes, a hole as an empty one.
void write_ids(ArchiveWriter& writer, std::string_view name, std::uint32_t count,
               const std::function<std::string(std::uint32_t)>& id);

// Whom the records up to KnownIds::sequence mean. A user whom the vocabulary does not know was
// erased by one of them, and is one of its holes until then.
class KnownUsers {
 public:
  // `vocabulary` outlives this, and does not change meanwhile.
  explicit KnownUsers(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  // kNoUser when the vocabulary has no hole left: it is not that of this log.
  UserIndex of(std::string_view id);
  std::optional<UserIndex> find(std::string_view id) const;
  // From here on the id is somebody else. For a user of the vocabulary, who is that other: the hole
  // that takes what they did so far; kNoUser for others.
  UserIndex erase(std::string_view id);

 private:
  UserIndex hole();

  const Vocabulary& vocabulary_;
  std::map<std::string, UserIndex, std::less<>> erased_;
  std::uint32_t next_ = 0;         // holes before it are taken
  UserIndex forgotten_ = kNoUser;  // the hole of all who came again
};

}  // namespace vitrine
