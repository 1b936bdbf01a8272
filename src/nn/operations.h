// The table of operations: every loop over numbers that training and serving neural models need,
// so that another device can be put under the same tape. Matrices are row-major and contiguous
// (row stride = cols) unless a stride is given. Functions named *_back add to their outputs
// (d_x += ...); the others overwrite unless they say "+=". Nothing allocates, nothing checks: the
// tape (tape.h) gives them what fits. Pure functions; thread-safe; one thread each.
//
// A row of the table gives the same bits at every call; rows differ in the order of additions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace vitrine::nn {

enum class Activation { kRelu, kGelu, kSilu, kSigmoid, kTanh };

// Jagged rows: segment s holds tokens [offsets[s], offsets[s + 1]).
struct Segments {
  const std::uint32_t* offsets;
  std::int64_t count;
};

// Multi-head attention inside segments: softmax(q k^T / sqrt(width) + bias) v. Each token's row of
// `qkv` holds its queries, keys and values, each `heads * width` wide. What token i sees of token j
// is biased by their distance and their difference in time (Shaw et al. 2018; Zhai et al., HSTU,
// ICML 2024):
//   distance_bias[head * distances + min(|i - j|, distances - 1)], and the same for times with the
//   bucket min(bit width of the seconds between them, times - 1).
struct Attention {
  Segments segments;
  std::int64_t heads, width;
  bool causal;  // token i sees j <= i; else the whole segment
  std::int64_t distances, times;
  const float* distance_bias;   // null: none
  const float* time_bias;       // null: none
  const std::int64_t* seconds;  // by token; of time_bias
};

// How the scores of one right answer and of `candidates` wrong ones become a loss.
enum class CandidateLoss {
  kSoftmax,  // -ln softmax
  kGbce,     // -beta ln sigma(right) - sum ln sigma(-wrong): gSASRec (Petrov, Macdonald 2023)
  kBprMax,   // -ln sum s_j sigma(right - j) + beta sum s_j j^2: GRU4Rec (Hidasi, Karatzoglou 2018)
};

struct AdamStep {
  float rate, first, second, epsilon;  // rate with its bias correction
  float second_correction;             // 1 / (1 - second^t)
  float decay;                         // decoupled: value -= decay * value
  float gradient_scale;                // of clipping
};

struct Operations {
  std::string_view name;

  // C = alpha op(A) op(B) + beta C, where C is m x n and the sum has k terms.
  void (*gemm)(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
               float alpha, const float* a, std::int64_t a_stride, const float* b,
               std::int64_t b_stride, float beta, float* c, std::int64_t c_stride);

  // Elementwise over n numbers.
  void (*add_scaled)(std::int64_t n, float alpha, const float* x, float* y);      // y += alpha x
  void (*add_product)(std::int64_t n, const float* a, const float* b, float* y);  // y += a b
  void (*activate)(Activation kind, std::int64_t n, const float* x, float* y);
  void (*activate_back)(Activation kind, std::int64_t n, const float* x, const float* y,
                        const float* d_y, float* d_x);
  // y += x / (1 - rate) where the draw of (key, index) keeps the element, nothing elsewhere; its
  // own gradient.
  void (*add_dropout)(std::int64_t n, std::uint64_t key, float rate, const float* x, float* y);

  // By row.
  void (*add_to_rows)(std::int64_t rows, std::int64_t cols, const float* row, float* y);
  void (*sum_rows)(std::int64_t rows, std::int64_t cols, const float* x, float* sum);  // sum +=
  void (*layer_norm)(std::int64_t rows, std::int64_t cols, const float* x, const float* gain,
                     const float* bias, float* y, float* mean, float* inverse);
  void (*layer_norm_back)(std::int64_t rows, std::int64_t cols, const float* x, const float* gain,
                          const float* mean, const float* inverse, const float* d_y, float* d_x,
                          float* d_gain, float* d_bias);
  // y = x / |x|; `inverse` is 1 / |x|, 0 for a row of zeros.
  void (*normalize)(std::int64_t rows, std::int64_t cols, const float* x, float* y, float* inverse);
  void (*normalize_back)(std::int64_t rows, std::int64_t cols, const float* y, const float* inverse,
                         const float* d_y, float* d_x);
  // out[i] = scale table[ids[i]]; and table[ids[i]] += scale in[i], in the order of i.
  void (*gather)(std::int64_t count, std::int64_t cols, const float* table, std::int64_t stride,
                 const std::uint32_t* ids, float scale, float* out);
  void (*scatter)(std::int64_t count, std::int64_t cols, const float* in, const std::uint32_t* ids,
                  float scale, float* table, std::int64_t stride);
  void (*dot_rows)(std::int64_t rows, std::int64_t cols, const float* a, const float* b,
                   float* out);

  // `weights` keeps the softmax: heads * length^2 numbers for each segment, one after the other.
  void (*attend)(const Attention&, const float* qkv, float* out, float* weights);
  void (*attend_back)(const Attention&, const float* qkv, const float* weights, const float* d_out,
                      float* scratch, float* d_qkv, float* d_distance_bias, float* d_time_bias);

  // One step of `rows` gated recurrent units of width n (Cho et al. 2014, as cuDNN does): gates of
  // the input and of the state are [reset | update | new], and
  //   h' = (1 - z) tanh(x_n + r h_n) + z h.
  // `kept` holds r, z and the new state: 3 n numbers a row.
  void (*gru)(std::int64_t rows, std::int64_t n, const float* x_gates, const float* h_gates,
              const float* h, float* kept, float* out);
  // d_x_gates and d_h_gates are overwritten; d_h += the part that does not pass through h_gates.
  void (*gru_back)(std::int64_t rows, std::int64_t n, const float* h_gates, const float* h,
                   const float* kept, const float* d_out, float* d_x_gates, float* d_h_gates,
                   float* d_h);

  // The loss of each row, weighted and summed. `wrong` (rows x candidates; -infinity: not there)
  // and `right` are overwritten by the gradients.
  double (*candidate_loss)(CandidateLoss kind, float beta, std::int64_t rows,
                           std::int64_t candidates, const float* row_weights, float* right,
                           float* wrong);
  // x <- softmax(x) for each row; `log_sums` are the logarithms of the sums of exponentials.
  void (*softmax_rows)(std::int64_t rows, std::int64_t cols, float* x, float* log_sums);

  void (*adam)(const AdamStep&, std::int64_t n, const float* gradient, float* value, float* first,
               float* second);
  double (*sum_of_squares)(std::int64_t n, const float* x);
};

const Operations& operations();                       // the best row of this processor
std::span<const Operations* const> all_operations();  // those that run here, the portable first

}  // namespace vitrine::nn
