// Training steps of the thesis network in float32 with oneDNN's primitives (version 2.x). They are
// timed like ours in `bench steps` and print the same line: the median and the smallest time of a
// step in ms, the number of steps, and the loss of the second step without dropout.
//
//	train DIR THREADS          with OMP_NUM_THREADS=THREADS
//
// oneDNN chooses every layout itself (format_tag::any). All memory is allocated once, before the
// first step. `bench samples` writes DIR.
#include "common.h"

#include <dnnl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <random>
#include <unordered_map>

using namespace dnnl;
using type = memory::data_type;
using tag = memory::format_tag;
using dims = memory::dims;

// The parameters of one tensor, with Adam's moments.
struct tensor {
	memory w, dw; // both in the same layout
	std::vector<float> m, v;

	tensor(memory w, memory dw) : w(w), dw(dw), m(w.get_desc().get_size() / sizeof(float)), v(m.size()) {}

	// Keras' form: epsilon is added to the uncorrected root, as in trainer/optim. t counts from 1.
	void adam(int t) {
		const float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-7f;
		const float rate = static_cast<float>(1e-3 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)));
		auto *p = static_cast<float *>(w.get_data_handle()), *g = static_cast<float *>(dw.get_data_handle());
		for (size_t k = 0; k < m.size(); k++) {
			m[k] = beta1 * m[k] + (1 - beta1) * g[k];
			v[k] = beta2 * v[k] + (1 - beta2) * g[k] * g[k];
			p[k] -= rate * m[k] / (std::sqrt(v[k]) + epsilon);
		}
	}
};

class network {
	using list = std::vector<std::function<void()>>;
	using arguments = std::unordered_map<int, memory>;

	engine cpu{engine::kind::cpu, 0};
	stream order{cpu};
	list forward, backward;
	std::vector<std::function<memory(memory)>> ways_back; // per layer: gradient of the output -> of the input
	std::vector<tensor> tensors;
	reader weights;
	long batch;
	memory logits, slopes; // (N, 1)
	std::mt19937 random{1};
	int t = 0; // steps taken

	void add(list &l, primitive p, arguments a) {
		l.push_back([this, p, a] { p.execute(order, a); });
	}

	memory laid_out(list &l, memory src, const memory::desc &want) {
		if (src.get_desc() == want) return src;
		memory dst(want, cpu);
		add(l, reorder(src, dst), {{DNNL_ARG_FROM, src}, {DNNL_ARG_TO, dst}});
		return dst;
	}

	// Values of the file in the layout that a primitive needs.
	memory parameters(const memory::desc &given, const memory::desc &want) {
		memory src(given, cpu, weights.take<float>(given.get_size() / sizeof(float))), dst(want, cpu);
		reorder(src, dst).execute(order, src, dst);
		order.wait();
		return dst;
	}

	static float *floats(const memory &m) { return static_cast<float *>(m.get_data_handle()); }
	static size_t count(const memory &m) { return m.get_desc().get_size() / sizeof(float); }

	// 3x3 windows with stride 2, ReLU, then a 2x2 pool with stride 2. x becomes the output. The
	// gradient of the image is not needed.
	void conv_and_pool(memory &x, long in, long out, bool first) {
		const long side = x.get_desc().dims()[2], conv_side = (side - 3) / 2 + 1, pool_side = conv_side / 2;
		const dims none{0, 0}, two{2, 2};
		memory::desc any_x({batch, in, side, side}, type::f32, tag::any), any_w({out, in, 3, 3}, type::f32, tag::any),
			any_y({batch, out, conv_side, conv_side}, type::f32, tag::any), any_z({batch, out, pool_side, pool_side}, type::f32, tag::any),
			flat({out}, type::f32, tag::x);
		post_ops ops;
		ops.append_eltwise(1.f, algorithm::eltwise_relu, 0.f, 0.f);
		primitive_attr with_relu;
		with_relu.set_post_ops(ops);

		convolution_forward::primitive_desc conv({prop_kind::forward_training, algorithm::convolution_direct, any_x, any_w, flat, any_y,
			two, none, none}, with_relu, cpu);
		memory w = parameters({{out, in, 3, 3}, type::f32, tag::ohwi}, conv.weights_desc()), b = parameters(flat, flat);
		memory y(conv.dst_desc(), cpu);
		x = laid_out(forward, x, conv.src_desc());
		add(forward, convolution_forward(conv), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b}, {DNNL_ARG_DST, y}});

		pooling_forward::primitive_desc pool({prop_kind::forward_training, algorithm::pooling_max, y.get_desc(), any_z, two, two, none, none}, cpu);
		memory z(pool.dst_desc(), cpu), winners(pool.workspace_desc(), cpu);
		add(forward, pooling_forward(pool), {{DNNL_ARG_SRC, y}, {DNNL_ARG_DST, z}, {DNNL_ARG_WORKSPACE, winners}});

		memory input = x;
		ways_back.push_back([=](memory dz) {
			// If the pool's output is above zero, the largest of the four has passed ReLU. After
			// the pool, ReLU's derivative takes a quarter of the work.
			dz = laid_out(backward, dz, z.get_desc());
			eltwise_forward::primitive_desc relu({prop_kind::forward_training, algorithm::eltwise_relu_use_dst_for_bwd, z.get_desc(), 0.f, 0.f}, cpu);
			eltwise_backward::primitive_desc stop({algorithm::eltwise_relu_use_dst_for_bwd, z.get_desc(), z.get_desc(), 0.f, 0.f}, cpu, relu);
			add(backward, eltwise_backward(stop), {{DNNL_ARG_DST, z}, {DNNL_ARG_DIFF_DST, dz}, {DNNL_ARG_DIFF_SRC, dz}});

			pooling_backward::primitive_desc unpool({algorithm::pooling_max, y.get_desc(), z.get_desc(), two, two, none, none}, cpu, pool);
			memory dy(unpool.diff_src_desc(), cpu);
			add(backward, pooling_backward(unpool), {{DNNL_ARG_DIFF_DST, dz}, {DNNL_ARG_WORKSPACE, winners}, {DNNL_ARG_DIFF_SRC, dy}});

			convolution_backward_weights::primitive_desc to_w({algorithm::convolution_direct, any_x, any_w, flat, any_y, two, none, none}, cpu, conv);
			memory dw(to_w.diff_weights_desc(), cpu), db(flat, cpu);
			add(backward, convolution_backward_weights(to_w), {{DNNL_ARG_SRC, laid_out(backward, input, to_w.src_desc())},
				{DNNL_ARG_DIFF_DST, laid_out(backward, dy, to_w.diff_dst_desc())}, {DNNL_ARG_DIFF_WEIGHTS, dw}, {DNNL_ARG_DIFF_BIAS, db}});
			tensors.emplace_back(w, laid_out(backward, dw, w.get_desc()));
			tensors.emplace_back(b, db);
			if (first) return memory();

			convolution_backward_data::primitive_desc to_x({algorithm::convolution_direct, any_x, any_w, any_y, two, none, none}, cpu, conv);
			memory dx(to_x.diff_src_desc(), cpu);
			add(backward, convolution_backward_data(to_x), {{DNNL_ARG_DIFF_DST, laid_out(backward, dy, to_x.diff_dst_desc())},
				{DNNL_ARG_WEIGHTS, laid_out(backward, w, to_x.weights_desc())}, {DNNL_ARG_DIFF_SRC, dx}});
			return dx;
		});
		x = z;
	}

	// (N, in) -> (N, out). All but the last are followed by ReLU and dropout.
	void dense(memory &x, long in, long out, bool last) {
		memory::desc x_desc({batch, in}, type::f32, tag::nc), w_desc({out, in}, type::f32, tag::oi), flat({out}, type::f32, tag::x),
			y_desc({batch, out}, type::f32, tag::nc);
		inner_product_forward::primitive_desc product({prop_kind::forward_training, x_desc, w_desc, flat, y_desc}, cpu);
		memory w = parameters(w_desc, w_desc), b = parameters(flat, flat), y(y_desc, cpu);
		add(forward, inner_product_forward(product), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b}, {DNNL_ARG_DST, y}});
		if (!last) forward.push_back([this, y] { relu_and_drop(y); });

		memory input = x;
		ways_back.push_back([=](memory dy) {
			if (!last) backward.push_back([this, y, dy] { pass(dy, y); });
			inner_product_backward_weights::primitive_desc to_w({x_desc, w_desc, flat, y_desc}, cpu, product);
			memory dw(w_desc, cpu), db(flat, cpu), dx(x_desc, cpu);
			add(backward, inner_product_backward_weights(to_w),
				{{DNNL_ARG_SRC, input}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_WEIGHTS, dw}, {DNNL_ARG_DIFF_BIAS, db}});
			inner_product_backward_data::primitive_desc to_x({x_desc, w_desc, y_desc}, cpu, product);
			add(backward, inner_product_backward_data(to_x), {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_SRC, dx}});
			tensors.emplace_back(w, dw);
			tensors.emplace_back(b, db);
			return dx;
		});
		x = y;
	}

	// oneDNN has no dropout. A few thousand values per batch take no time compared with 85 million
	// in the first layer.
	void relu_and_drop(const memory &y) {
		order.wait();
		std::bernoulli_distribution dropped(dropout);
		for (float *v = floats(y), *end = v + count(y); v < end; v++) *v = dropout > 0 && dropped(random) ? 0 : std::max(*v, 0.f) / (1 - dropout);
	}

	// Values that ReLU or dropout set to zero pass no gradient.
	void pass(const memory &dy, const memory &y) {
		order.wait();
		for (size_t i = 0; i < count(y); i++) floats(dy)[i] = floats(y)[i] > 0 ? floats(dy)[i] / (1 - dropout) : 0;
	}

public:
	float dropout = 0;

	// images: (N, 379, 379)
	network(const std::string &dir, std::vector<float> &images, long n) : weights(dir + "/weights.bin"), batch(n) {
		memory x({{batch, 1, 379, 379}, type::f32, tag::nhwc}, cpu, images.data());
		const long channels[] = {1, 128, 64, 32, 16};
		for (int i = 0; i < 4; i++) conv_and_pool(x, channels[i], channels[i + 1], i == 0);
		memory::desc image({batch, 16, 1, 1}, type::f32, tag::nhwc), row({batch, 16}, type::f32, tag::nc);
		// One pixel of 16 channels is a row of 16 values.
		memory last = laid_out(forward, x, image);
		ways_back.push_back([=](memory d) { return memory(image, cpu, d.get_data_handle()); });
		x = memory(row, cpu, last.get_data_handle());
		dense(x, 16, 128, false);
		dense(x, 128, 64, false);
		dense(x, 64, 1, true);
		logits = x;
		memory d = slopes = memory(x.get_desc(), cpu);
		for (size_t i = ways_back.size(); i > 0; i--) d = ways_back[i - 1](d);
	}

	// step returns the mean loss before it.
	double step(const uint8_t *labels) {
		for (auto &run : forward) run();
		order.wait();
		double loss = 0;
		for (long i = 0; i < batch; i++) {
			const double z = floats(logits)[i];
			loss += std::max(z, 0.) - z * labels[i] + std::log1p(std::exp(-std::abs(z)));
			floats(slopes)[i] = static_cast<float>((1 / (1 + std::exp(-z)) - labels[i]) / batch);
		}
		for (auto &run : backward) run();
		order.wait();
		t++;
		for (auto &p : tensors) p.adam(t);
		return loss / batch;
	}
};

int main(int argc, char **argv) try {
	if (argc != 3) throw std::runtime_error("usage: train DIR THREADS");
	const std::string dir = argv[1];
	reader labels(dir + "/labels.bin"), pixels(dir + "/pixels.bin");
	std::vector<float> images(pixels.bytes.size());
	for (size_t i = 0; i < images.size(); i++) images[i] = static_cast<uint8_t>(pixels.bytes[i]) * (1.f / 255);
	const auto *label = labels.take<uint8_t>(labels.bytes.size());
	network n(dir, images, static_cast<long>(labels.bytes.size()));
	double loss = 0;
	for (int i = 0; i < 2; i++) loss = n.step(label);
	n.dropout = 0.2f;
	const double timed = 3;
	const size_t fewest = 2;
	std::vector<double> ms;
	for (double began = seconds(); ms.size() < fewest || seconds() - began < timed;) {
		double start = seconds();
		n.step(label);
		ms.push_back((seconds() - start) * 1e3);
	}
	std::sort(ms.begin(), ms.end());
	std::printf("%.3f %.3f %zu %.9g\n", ms[ms.size() / 2], ms[0], ms.size(), loss);
} catch (const std::exception &e) {
	std::fprintf(stderr, "onednn: error: %s\n", e.what());
	return 1;
}
