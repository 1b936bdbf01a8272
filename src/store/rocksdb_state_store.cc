// RocksDB as the embedded state store. Without write-ahead log: what it holds is derived. Keys are
// looked up by point far more often than scanned, hence the Bloom filters, in the memtable too.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "store/limits.h"
#include "store/open.h"

namespace vitrine {
namespace {

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

Code code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace() || status.IsMemoryLimit()) return Code::kExhausted;
  if (status.IsCorruption()) return Code::kCorrupt;
  return Code::kIo;
}

// The least key above all that start with `prefix`; empty when there is none.
std::string behind(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

class RocksdbStateStore final : public StateStore {
 public:
  RocksdbStateStore(std::string folder, std::unique_ptr<rocksdb::DB> db)
      : folder_(std::move(folder)), db_(std::move(db)) {
    write_.disableWAL = true;
  }

  Result<std::optional<std::string>> get(std::string_view key) const override {
    std::string value;
    const rocksdb::Status status = db_->Get({}, slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return error(status);
    return std::optional<std::string>(std::move(value));
  }
  Status put(std::string_view key, std::string_view value) override {
    return check(db_->Put(write_, slice(key), slice(value)));
  }
  Status erase(std::string_view key) override { return check(db_->Delete(write_, slice(key))); }

  Status erase_prefix(std::string_view prefix) override {
    const std::string end = behind(prefix);
    if (!end.empty())
      return check(db_->DeleteRange(write_, db_->DefaultColumnFamily(), slice(prefix), end));
    // No key bounds the prefix from above: the last key there is does.
    const std::unique_ptr<rocksdb::Iterator> last(db_->NewIterator({}));
    last->SeekToLast();
    if (!last->Valid() || !view(last->key()).starts_with(prefix)) return check(last->status());
    VT_TRY(check(db_->DeleteRange(write_, db_->DefaultColumnFamily(), slice(prefix), last->key())));
    return check(db_->Delete(write_, last->key()));
  }

  Status scan(std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options));
    for (at->Seek(slice(prefix)); at->Valid() && view(at->key()).starts_with(prefix); at->Next())
      if (!visit(view(at->key()), view(at->value()))) break;
    return check(at->status());
  }

 private:
  Error error(const rocksdb::Status& status) const {
    return {code_of(status), folder_ + ": " + status.ToString()};
  }
  Status check(const rocksdb::Status& status) const {
    return status.ok() ? Status() : Status(error(status));
  }

  const std::string folder_;
  const std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
};

rocksdb::Options store_options() {
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(kStateCacheBytes);
  table.cache_index_and_filter_blocks = true;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = kStateMemtableBytes;
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.05;
  options.max_open_files = 256;
  options.max_file_opening_threads = 1;  // it ends the program when it cannot have as many
  options.compression = rocksdb::kLZ4Compression;
  options.keep_log_file_num = 1;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_total_wal_size = 1 << 20;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

Result<std::unique_ptr<StateStore>> open_rocksdb_store(std::string_view where) {
  const std::string folder(where);
  if (folder.empty())
    return Error{Code::kInvalid, "\"rocksdb:\" lacks its folder; write rocksdb:<folder>"};
  const rocksdb::Options options = store_options();
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, folder, &db);
  if (status.IsCorruption()) {
    // Derived state is not repaired but made anew.
    status = rocksdb::DestroyDB(folder, options);
    if (status.ok()) status = rocksdb::DB::Open(options, folder, &db);
  }
  if (!status.ok())
    return Error{code_of(status), folder + ": cannot open the state store: " + status.ToString()};
  return std::unique_ptr<StateStore>(
      std::make_unique<RocksdbStateStore>(folder, std::unique_ptr<rocksdb::DB>(db)));
}

}  // namespace vitrine
