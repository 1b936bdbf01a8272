// The loops of one row of the table of operations, for the compiler to vectorise: included by each
// row's .cc, which is compiled for that row's instruction set. Everything here is local to the file
// that includes it, and nothing but functions of this file and of the C library may be called: an
// inline function of a shared header could reach a processor that lacks the instructions.
#pragma once

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "nn/operations.h"

namespace vitrine::nn {
namespace {

using Int = std::int64_t;

// e^x with a relative error below 2e-7; 0 below -87; e^86 above 86, so that no quotient of sums of
// it is a subnormal number.
inline float exp_of(float x) {
  const float bounded = x < -87.0f ? -87.0f : (x > 86.0f ? 86.0f : x);
  const float shifted = bounded * 1.44269504f + 12582912.0f;  // rounds to an integer
  const float n = shifted - 12582912.0f;
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  std::int32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  const std::int32_t exponent = (bits - 0x4b400000 + 127) << 23;
  float scale;
  memcpy(&scale, &exponent, sizeof scale);
  return x < -87.0f ? 0.0f : p * scale;
}
inline float sigmoid_of(float x) { return 1.0f / (1.0f + exp_of(-x)); }
inline float tanh_of(float x) { return 1.0f - 2.0f / (exp_of(2.0f * x) + 1.0f); }
// ln(1 + e^x)
inline float softplus_of(float x) { return (x > 0 ? x : 0) + log1pf(exp_of(x > 0 ? -x : x)); }

inline float dot(Int n, const float* a, const float* b) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Int i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
inline void add_scaled_to(Int n, float alpha, const float* __restrict x, float* __restrict y) {
#pragma omp simd
  for (Int i = 0; i < n; ++i) y[i] += alpha * x[i];
}
inline float largest(Int n, const float* x) {
  float most = -INFINITY;
#pragma omp simd reduction(max : most)
  for (Int i = 0; i < n; ++i) most = x[i] > most ? x[i] : most;
  return most;
}
// x <- e^(x - most); the sum.
inline float exponentiate(Int n, float most, float* x) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Int i = 0; i < n; ++i) {
    x[i] = exp_of(x[i] - most);
    sum += x[i];
  }
  return sum;
}

void gemm(bool transpose_a, bool transpose_b, Int m, Int n, Int k, float alpha, const float* a,
          Int a_stride, const float* b, Int b_stride, float beta, float* c, Int c_stride) {
  if (m == 0 || n == 0) return;
  cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
              transpose_b ? CblasTrans : CblasNoTrans, static_cast<int>(m), static_cast<int>(n),
              static_cast<int>(k), alpha, a, static_cast<int>(a_stride), b,
              static_cast<int>(b_stride), beta, c, static_cast<int>(c_stride));
}

void add_scaled(Int n, float alpha, const float* x, float* y) { add_scaled_to(n, alpha, x, y); }

void add_product(Int n, const float* __restrict a, const float* __restrict b, float* __restrict y) {
  for (Int i = 0; i < n; ++i) y[i] += a[i] * b[i];
}

constexpr float kGelu = 1.702f;  // x sigma(1.702 x), the approximation of Hendrycks and Gimpel

void activate(Activation kind, Int n, const float* __restrict x, float* __restrict y) {
  switch (kind) {
    case Activation::kRelu:
      for (Int i = 0; i < n; ++i) y[i] = x[i] > 0 ? x[i] : 0;
      break;
    case Activation::kGelu:
      for (Int i = 0; i < n; ++i) y[i] = x[i] * sigmoid_of(kGelu * x[i]);
      break;
    case Activation::kSilu:
      for (Int i = 0; i < n; ++i) y[i] = x[i] * sigmoid_of(x[i]);
      break;
    case Activation::kSigmoid:
      for (Int i = 0; i < n; ++i) y[i] = sigmoid_of(x[i]);
      break;
    case Activation::kTanh:
      for (Int i = 0; i < n; ++i) y[i] = tanh_of(x[i]);
      break;
  }
}

// d/dx of x sigma(c x)
inline float gated_slope(float c, float x) {
  const float s = sigmoid_of(c * x);
  return s + c * x * s * (1.0f - s);
}

void activate_back(Activation kind, Int n, const float* __restrict x, const float* __restrict y,
                   const float* __restrict d_y, float* __restrict d_x) {
  switch (kind) {
    case Activation::kRelu:
      for (Int i = 0; i < n; ++i) d_x[i] += x[i] > 0 ? d_y[i] : 0;
      break;
    case Activation::kGelu:
      for (Int i = 0; i < n; ++i) d_x[i] += d_y[i] * gated_slope(kGelu, x[i]);
      break;
    case Activation::kSilu:
      for (Int i = 0; i < n; ++i) d_x[i] += d_y[i] * gated_slope(1, x[i]);
      break;
    case Activation::kSigmoid:
      for (Int i = 0; i < n; ++i) d_x[i] += d_y[i] * y[i] * (1.0f - y[i]);
      break;
    case Activation::kTanh:
      for (Int i = 0; i < n; ++i) d_x[i] += d_y[i] * (1.0f - y[i] * y[i]);
      break;
  }
}

// A draw is a hash of its number: the mixer "lowbias32" of Wellons.
inline std::uint32_t draw_of(std::uint32_t key, std::uint32_t low, std::uint32_t index) {
  std::uint32_t x = index * 0x9e3779b9u + key;
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= (x >> 15) ^ low;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

void add_dropout(Int n, std::uint64_t key, float rate, const float* __restrict x,
                 float* __restrict y) {
  const auto high = static_cast<std::uint32_t>(key >> 32), low = static_cast<std::uint32_t>(key);
  const auto dropped = static_cast<std::uint32_t>(static_cast<double>(rate) * 4294967295.0);
  const float scale = 1.0f / (1.0f - rate);
  for (Int i = 0; i < n; ++i) {
    const bool keep = draw_of(high, low, static_cast<std::uint32_t>(i)) >= dropped;
    y[i] += keep ? x[i] * scale : 0.0f;
  }
}

void add_to_rows(Int rows, Int cols, const float* row, float* y) {
  for (Int r = 0; r < rows; ++r) add_scaled_to(cols, 1, row, y + r * cols);
}

void sum_rows(Int rows, Int cols, const float* x, float* sum) {
  for (Int r = 0; r < rows; ++r) add_scaled_to(cols, 1, x + r * cols, sum);
}

constexpr float kNormEpsilon = 1e-6f;

void layer_norm(Int rows, Int cols, const float* x, const float* __restrict gain,
                const float* __restrict bias, float* y, float* mean, float* inverse) {
  const auto width = static_cast<float>(cols);
  for (Int r = 0; r < rows; ++r) {
    const float* __restrict in = x + r * cols;
    float* __restrict out = y + r * cols;
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (Int c = 0; c < cols; ++c) sum += in[c];
    const float m = sum / width;
#pragma omp simd reduction(+ : squares)
    for (Int c = 0; c < cols; ++c) squares += (in[c] - m) * (in[c] - m);
    const float s = 1.0f / sqrtf(squares / width + kNormEpsilon);
    for (Int c = 0; c < cols; ++c) out[c] = (in[c] - m) * s * gain[c] + bias[c];
    mean[r] = m;
    inverse[r] = s;
  }
}

// With x^ = (x - m) s and g = d_y gain:  d_x = s (g - mean(g) - x^ mean(g x^)).
void layer_norm_back(Int rows, Int cols, const float* x, const float* __restrict gain,
                     const float* mean, const float* inverse, const float* d_y, float* d_x,
                     float* __restrict d_gain, float* __restrict d_bias) {
  const float share = 1.0f / static_cast<float>(cols);
  for (Int r = 0; r < rows; ++r) {
    const float* __restrict in = x + r * cols;
    const float* __restrict g = d_y + r * cols;
    float* __restrict out = d_x + r * cols;
    const float m = mean[r], s = inverse[r];
    float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (Int c = 0; c < cols; ++c) {
      const float scaled = g[c] * gain[c];
      sum += scaled;
      product += scaled * (in[c] - m) * s;
    }
    sum *= share;
    product *= share;
    for (Int c = 0; c < cols; ++c) {
      const float centred = (in[c] - m) * s;
      out[c] += s * (g[c] * gain[c] - sum - centred * product);
      d_gain[c] += g[c] * centred;
      d_bias[c] += g[c];
    }
  }
}

void normalize(Int rows, Int cols, const float* x, float* y, float* inverse) {
  for (Int r = 0; r < rows; ++r) {
    const float* __restrict in = x + r * cols;
    float* __restrict out = y + r * cols;
    const float squares = dot(cols, in, in);
    const float s = squares > 0 ? 1.0f / sqrtf(squares) : 0.0f;
    for (Int c = 0; c < cols; ++c) out[c] = in[c] * s;
    inverse[r] = s;
  }
}

void normalize_back(Int rows, Int cols, const float* y, const float* inverse, const float* d_y,
                    float* d_x) {
  for (Int r = 0; r < rows; ++r) {
    const float* __restrict out = y + r * cols;
    const float* __restrict g = d_y + r * cols;
    float* __restrict in = d_x + r * cols;
    const float along = dot(cols, out, g), s = inverse[r];
    for (Int c = 0; c < cols; ++c) in[c] += s * (g[c] - along * out[c]);
  }
}

void gather(Int count, Int cols, const float* table, Int stride, const std::uint32_t* ids,
            float scale, float* out) {
  for (Int i = 0; i < count; ++i) {
    const float* __restrict from = table + static_cast<Int>(ids[i]) * stride;
    float* __restrict to = out + i * cols;
#pragma omp simd
    for (Int c = 0; c < cols; ++c) to[c] = scale * from[c];
  }
}

void scatter(Int count, Int cols, const float* in, const std::uint32_t* ids, float scale,
             float* table, Int stride) {
  for (Int i = 0; i < count; ++i) {
    add_scaled_to(cols, scale, in + i * cols, table + static_cast<Int>(ids[i]) * stride);
  }
}

void dot_rows(Int rows, Int cols, const float* a, const float* b, float* out) {
  for (Int r = 0; r < rows; ++r) out[r] = dot(cols, a + r * cols, b + r * cols);
}

// ---- attention

struct Head {
  Int first, length;  // tokens of the segment
  Int head;
};

inline Int time_bucket(const Attention& a, Int i, Int j) {
  const Int apart = a.seconds[i] - a.seconds[j];
  const auto distance = static_cast<std::uint64_t>(apart < 0 ? -apart : apart);
  const Int width = distance == 0 ? 0 : 64 - __builtin_clzll(distance);
  return width < a.times ? width : a.times - 1;
}
inline Int distance_bucket(const Attention& a, Int i, Int j) {
  const Int apart = i < j ? j - i : i - j;
  return apart < a.distances ? apart : a.distances - 1;
}

inline float bias_of(const Attention& a, Int head, Int i, Int j) {
  float bias = 0;
  if (a.distance_bias != nullptr)
    bias += a.distance_bias[head * a.distances + distance_bucket(a, i, j)];
  if (a.time_bias != nullptr) bias += a.time_bias[head * a.times + time_bucket(a, i, j)];
  return bias;
}

void attend_head(const Attention& a, const Head& h, const float* qkv, float* out, float* weights) {
  const Int model = a.heads * a.width, stride = 3 * model;
  const float scale = 1.0f / sqrtf(static_cast<float>(a.width));
  const float* queries = qkv + h.first * stride + h.head * a.width;
  const float* keys = queries + model;
  const float* values = keys + model;
  for (Int i = 0; i < h.length; ++i) {
    float* w = weights + i * h.length;
    const Int seen = a.causal ? i + 1 : h.length;
    const bool biased = a.distance_bias != nullptr || a.time_bias != nullptr;
    for (Int j = 0; j < seen; ++j) {
      w[j] = scale * dot(a.width, queries + i * stride, keys + j * stride);
      if (biased) w[j] += bias_of(a, h.head, h.first + i, h.first + j);
    }
    const float sum = exponentiate(seen, largest(seen, w), w);
    float* __restrict o = out + (h.first + i) * model + h.head * a.width;
    for (Int c = 0; c < a.width; ++c) o[c] = 0;
    for (Int j = 0; j < seen; ++j) {
      w[j] /= sum;
      add_scaled_to(a.width, w[j], values + j * stride, o);
    }
    for (Int j = seen; j < h.length; ++j) w[j] = 0;
  }
}

void attend(const Attention& a, const float* qkv, float* out, float* weights) {
  for (Int s = 0; s < a.segments.count; ++s) {
    const Int first = a.segments.offsets[s], length = a.segments.offsets[s + 1] - first;
    for (Int head = 0; head < a.heads; ++head, weights += length * length) {
      attend_head(a, {first, length, head}, qkv, out, weights);
    }
  }
}

// scratch: as many numbers as the longest segment has tokens.
void attend_head_back(const Attention& a, const Head& h, const float* qkv, const float* weights,
                      const float* d_out, float* scratch, float* d_qkv, float* d_distance_bias,
                      float* d_time_bias) {
  const Int model = a.heads * a.width, stride = 3 * model;
  const float scale = 1.0f / sqrtf(static_cast<float>(a.width));
  const Int start = h.first * stride + h.head * a.width;
  const float *queries = qkv + start, *keys = queries + model, *values = keys + model;
  float *d_queries = d_qkv + start, *d_keys = d_queries + model, *d_values = d_keys + model;
  for (Int i = 0; i < h.length; ++i) {
    const float* w = weights + i * h.length;
    const float* g = d_out + (h.first + i) * model + h.head * a.width;
    const Int seen = a.causal ? i + 1 : h.length;
    float mean = 0;
    for (Int j = 0; j < seen; ++j) {
      scratch[j] = dot(a.width, g, values + j * stride);
      mean += w[j] * scratch[j];
      add_scaled_to(a.width, w[j], g, d_values + j * stride);
    }
    for (Int j = 0; j < seen; ++j) {
      const float d = w[j] * (scratch[j] - mean);
      add_scaled_to(a.width, scale * d, keys + j * stride, d_queries + i * stride);
      add_scaled_to(a.width, scale * d, queries + i * stride, d_keys + j * stride);
      const Int from = h.first + i, to = h.first + j;
      if (d_distance_bias != nullptr)
        d_distance_bias[h.head * a.distances + distance_bucket(a, from, to)] += d;
      if (d_time_bias != nullptr) d_time_bias[h.head * a.times + time_bucket(a, from, to)] += d;
    }
  }
}

void attend_back(const Attention& a, const float* qkv, const float* weights, const float* d_out,
                 float* scratch, float* d_qkv, float* d_distance_bias, float* d_time_bias) {
  for (Int s = 0; s < a.segments.count; ++s) {
    const Int first = a.segments.offsets[s], length = a.segments.offsets[s + 1] - first;
    for (Int head = 0; head < a.heads; ++head, weights += length * length) {
      attend_head_back(a, {first, length, head}, qkv, weights, d_out, scratch, d_qkv,
                       d_distance_bias, d_time_bias);
    }
  }
}

// ---- gated recurrent units

void gru(Int rows, Int n, const float* x_gates, const float* h_gates, const float* h, float* kept,
         float* out) {
  for (Int r = 0; r < rows; ++r) {
    const float* __restrict x = x_gates + r * 3 * n;
    const float* __restrict g = h_gates + r * 3 * n;
    const float* __restrict before = h + r * n;
    float* __restrict keep = kept + r * 3 * n;
    float* __restrict after = out + r * n;
    for (Int c = 0; c < n; ++c) {
      const float reset = sigmoid_of(x[c] + g[c]);
      const float update = sigmoid_of(x[n + c] + g[n + c]);
      const float fresh = tanh_of(x[2 * n + c] + reset * g[2 * n + c]);
      keep[c] = reset;
      keep[n + c] = update;
      keep[2 * n + c] = fresh;
      after[c] = (1.0f - update) * fresh + update * before[c];
    }
  }
}

void gru_back(Int rows, Int n, const float* h_gates, const float* h, const float* kept,
              const float* d_out, float* d_x_gates, float* d_h_gates, float* d_h) {
  for (Int r = 0; r < rows; ++r) {
    const float* __restrict g = h_gates + r * 3 * n;
    const float* __restrict before = h + r * n;
    const float* __restrict keep = kept + r * 3 * n;
    const float* __restrict d = d_out + r * n;
    float* __restrict dx = d_x_gates + r * 3 * n;
    float* __restrict dg = d_h_gates + r * 3 * n;
    float* __restrict d_before = d_h + r * n;
    for (Int c = 0; c < n; ++c) {
      const float reset = keep[c], update = keep[n + c], fresh = keep[2 * n + c];
      const float d_fresh = d[c] * (1.0f - update) * (1.0f - fresh * fresh);
      const float d_update = d[c] * (before[c] - fresh) * update * (1.0f - update);
      const float d_reset = d_fresh * g[2 * n + c] * reset * (1.0f - reset);
      dx[c] = dg[c] = d_reset;
      dx[n + c] = dg[n + c] = d_update;
      dx[2 * n + c] = d_fresh;
      dg[2 * n + c] = d_fresh * reset;
      d_before[c] += d[c] * update;
    }
  }
}

// ---- losses: of one row, unweighted; the scores become gradients

inline double softmax_loss(Int n, float weight, float& right, float* wrong) {
  const float most_wrong = largest(n, wrong), most = most_wrong > right ? most_wrong : right;
  const float mine = exp_of(right - most);
  const float sum = exponentiate(n, most, wrong) + mine;
  const double loss = log(static_cast<double>(sum)) - static_cast<double>(right - most);
  const float scale = weight / sum;
  for (Int j = 0; j < n; ++j) wrong[j] *= scale;
  right = mine * scale - weight;
  return loss;
}

inline double gbce_loss(Int n, float weight, float beta, float& right, float* wrong) {
  double loss = static_cast<double>(beta) * static_cast<double>(softplus_of(-right));
  right = -weight * beta * sigmoid_of(-right);
  float sum = 0;
  for (Int j = 0; j < n; ++j) {
    sum += softplus_of(wrong[j]);
    wrong[j] = wrong[j] == -INFINITY ? 0.0f : weight * sigmoid_of(wrong[j]);
  }
  return loss + static_cast<double>(sum);
}

// With s the softmax of the wrong scores x, a_j = sigma(right - x_j), A = sum s a, B = sum s x^2:
// d/dx_j of -ln A + beta B = s_j ((a_j (1 - a_j) - a_j + A) / A + beta (x_j^2 - B + 2 x_j)).
inline double bpr_max_loss(Int n, float weight, float beta, float& right, float* wrong) {
  const float most = largest(n, wrong);
  float total = 0, agreed = 0, squares = 0, slope = 0;
  for (Int j = 0; j < n; ++j) {
    if (wrong[j] == -INFINITY) continue;
    const float e = exp_of(wrong[j] - most), a = sigmoid_of(right - wrong[j]);
    total += e;
    agreed += e * a;
    slope += e * a * (1.0f - a);
    squares += e * wrong[j] * wrong[j];
  }
  if (!(total > 0)) {
    right = 0;
    for (Int j = 0; j < n; ++j) wrong[j] = 0;
    return 0;
  }
  const float a_mean = agreed / total + 1e-24f, b_mean = squares / total;
  for (Int j = 0; j < n; ++j) {
    if (wrong[j] == -INFINITY) {
      wrong[j] = 0;
      continue;
    }
    const float x = wrong[j], s = exp_of(x - most) / total, a = sigmoid_of(right - x);
    wrong[j] =
        weight * s * ((a * (1.0f - a) - a + a_mean) / a_mean + beta * (x * x - b_mean + 2.0f * x));
  }
  right = -weight * slope / total / a_mean;
  return -log(static_cast<double>(a_mean)) + static_cast<double>(beta * b_mean);
}

double candidate_loss(CandidateLoss kind, float beta, Int rows, Int candidates,
                      const float* row_weights, float* right, float* wrong) {
  double sum = 0;
  for (Int r = 0; r < rows; ++r) {
    const float weight = row_weights[r];
    float* row = wrong + r * candidates;
    double loss = 0;
    if (kind == CandidateLoss::kSoftmax) loss = softmax_loss(candidates, weight, right[r], row);
    if (kind == CandidateLoss::kGbce) loss = gbce_loss(candidates, weight, beta, right[r], row);
    if (kind == CandidateLoss::kBprMax)
      loss = bpr_max_loss(candidates, weight, beta, right[r], row);
    sum += static_cast<double>(weight) * loss;
  }
  return sum;
}

void softmax_rows(Int rows, Int cols, float* x, float* log_sums) {
  for (Int r = 0; r < rows; ++r) {
    float* __restrict row = x + r * cols;
    const float most = largest(cols, row);
    const float sum = exponentiate(cols, most, row);
    log_sums[r] = most + logf(sum);
    const float scale = 1.0f / sum;
    for (Int c = 0; c < cols; ++c) row[c] *= scale;
  }
}

// ---- optimiser

void adam(const AdamStep& step, Int n, const float* __restrict gradient, float* __restrict value,
          float* __restrict first, float* __restrict second) {
  const AdamStep s = step;
  for (Int i = 0; i < n; ++i) {
    const float g = gradient[i] * s.gradient_scale;
    first[i] = s.first * first[i] + (1.0f - s.first) * g;
    second[i] = s.second * second[i] + (1.0f - s.second) * g * g;
    value[i] -= s.decay * value[i] +
                s.rate * first[i] / (sqrtf(second[i] * s.second_correction) + s.epsilon);
  }
}

double sum_of_squares(Int n, const float* x) {
  double sum = 0;
  for (Int i = 0; i < n; i += 4096) {
    const Int size = n - i < 4096 ? n - i : 4096;
    sum += static_cast<double>(dot(size, x + i, x + i));
  }
  return sum;
}

constexpr Operations row_named(std::string_view name) {
  return {name,
          gemm,
          add_scaled,
          add_product,
          activate,
          activate_back,
          add_dropout,
          add_to_rows,
          sum_rows,
          layer_norm,
          layer_norm_back,
          normalize,
          normalize_back,
          gather,
          scatter,
          dot_rows,
          attend,
          attend_back,
          gru,
          gru_back,
          candidate_loss,
          softmax_rows,
          adam,
          sum_of_squares};
}

}  // namespace
}  // namespace vitrine::nn
