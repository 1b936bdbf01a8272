// Every row of the kernel table against the scalar one, on vectors made of the fuzzer's bytes, and
// the fused scan, screened or not, against a full sort.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/kernels.h"
#include "base/result.h"
#include "index/scan.h"

namespace {

using namespace vitrine;

// Reads values off the front of the input; 0 when it is used up.
struct Bytes {
  const std::uint8_t* data;
  std::size_t size;
  template <class T>
  T next() {
    T value{};
    const std::size_t count = std::min(size, sizeof(T));
    std::memcpy(&value, data, count);
    data += count;
    size -= count;
    return value;
  }
};

// Any bits, or small numbers, so that sums are not all NaN.
float any_float(Bytes& bytes, bool wild) {
  return wild ? bytes.next<float>() : static_cast<float>(bytes.next<std::int8_t>()) / 16;
}

bool same(float a, float b) { return a == b || (a != a && b != b); }

void check_vectors(Bytes& bytes, bool wild) {
  const std::size_t n = bytes.next<std::uint8_t>();
  std::vector<float> x(n), y(n);
  for (float& v : x) v = any_float(bytes, wild);
  for (float& v : y) v = any_float(bytes, wild);
  const Kernels& scalar = *all_kernels().front();
  const auto count = static_cast<std::int64_t>(n);
  std::vector<float> sum = y;
  scalar.axpy(x.empty() ? 1 : x[0], x.data(), sum.data(), count);
  for (const Kernels* row : all_kernels()) {
    VT_CHECK(same(row->dot(x.data(), y.data(), count), scalar.dot(x.data(), y.data(), count)));
    std::vector<float> got = y;
    row->axpy(x.empty() ? 1 : x[0], x.data(), got.data(), count);
    for (std::size_t i = 0; i < n; ++i) VT_CHECK(same(got[i], sum[i]));
  }
}

void check_counts(Bytes& bytes) {
  const std::int64_t a_rows = bytes.next<std::uint8_t>() % 40,
                     b_rows = bytes.next<std::uint8_t>() % 40;
  const std::int64_t words = bytes.next<std::uint8_t>() % 6 * 8;
  std::vector<std::uint64_t> a(static_cast<std::size_t>(a_rows * words));
  std::vector<std::uint64_t> b(static_cast<std::size_t>(b_rows * words));
  for (std::uint64_t& v : a) v = bytes.next<std::uint64_t>();
  for (std::uint64_t& v : b) v = bytes.next<std::uint64_t>();
  std::vector<float> expected(static_cast<std::size_t>(a_rows * b_rows), 1.0f);
  const std::vector<float> start = expected;
  const Kernels& scalar = *all_kernels().front();
  scalar.count_common(a.data(), a_rows, b.data(), b_rows, words, expected.data(), b_rows);
  for (const Kernels* row : all_kernels()) {
    std::vector<float> got = start;
    row->count_common(a.data(), a_rows, b.data(), b_rows, words, got.data(), b_rows);
    VT_CHECK(got == expected);
  }
}

Matrix any_matrix(Bytes& bytes, std::int64_t rows, std::int64_t cols, bool wild) {
  Matrix m(rows, cols);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (float& v : m.row(i)) v = any_float(bytes, wild);
  }
  return m;
}

void check_scan(Bytes& bytes, bool wild) {
  const std::int64_t width = bytes.next<std::uint8_t>() % 40;
  const int n = bytes.next<std::uint8_t>() % 30;
  const Matrix queries = any_matrix(bytes, bytes.next<std::uint8_t>() % 40, width, wild);
  const Matrix items = any_matrix(bytes, bytes.next<std::uint8_t>(), width, wild);
  Bitmap allowed(static_cast<std::size_t>(items.rows()));
  for (std::size_t i = 0; i < allowed.size(); ++i)
    allowed.set(i, bytes.next<std::uint8_t>() % 4 != 1);
  const ItemMask mask{&allowed, {}};
  for (const Kernels* row : all_kernels()) {
    CandidateBlock got;
    scan_top(queries.view(), PackedItems(items.view(), *row), std::span(&mask, 1), n, got);
    for (std::int64_t q = 0; n > 0 && q < queries.rows(); ++q) {
      std::vector<Candidate> all;
      for (std::int64_t i = 0; i < items.rows(); ++i) {
        float score = 0;
        for (std::int64_t k = 0; k < width; ++k) {
          score = __builtin_fmaf(queries(q, k), items(i, k), score);
        }
        const Candidate c{ItemIndex{static_cast<std::uint32_t>(i)}, score};
        if (score == score && mask.allows(c.item)) all.push_back(c);
      }
      std::sort(all.begin(), all.end(), better);
      all.resize(std::min(all.size(), static_cast<std::size_t>(n)));
      const auto list = got.row(static_cast<std::size_t>(q));
      VT_CHECK(std::equal(list.begin(), list.end(), all.begin(), all.end()));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes{data, size};
  const std::uint8_t what = bytes.next<std::uint8_t>();
  const bool wild = (what & 4) != 0;
  switch (what % 3) {
    case 0:
      check_vectors(bytes, wild);
      break;
    case 1:
      check_counts(bytes);
      break;
    default:
      check_scan(bytes, wild);
      break;
  }
  return 0;
}
