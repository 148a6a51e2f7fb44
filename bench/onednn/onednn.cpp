// The int8 thesis network with oneDNN's primitives (version 2.x). It is timed like the other
// runtimes of `bench time` and prints the same line.
//
//	onednn DIR THREADS          with OMP_NUM_THREADS=THREADS
//
// oneDNN chooses every layout itself (format_tag::any). ReLU and requantizing are fused into the
// convolutions. `bench make` writes DIR/onednn.bin.
#include "common.h"

#include <dnnl.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <unordered_map>

using namespace dnnl;
using type = memory::data_type;
using tag = memory::format_tag;

class network {
	engine cpu{engine::kind::cpu, 0};
	stream order{cpu};
	std::vector<primitive> steps;
	std::vector<std::unordered_map<int, memory>> args;
	reader weights;
	memory x; // the activation that the next layer reads

	void add(primitive p, std::unordered_map<int, memory> a) {
		steps.push_back(p);
		args.push_back(std::move(a));
	}

	// Steps that a layer needs only before its first run.
	memory prepared(memory src, const memory::desc &want) {
		memory dst(want, cpu);
		reorder(src, dst).execute(order, src, dst);
		order.wait();
		return dst;
	}

	// Steps for every image.
	memory laid_out(memory src, const memory::desc &want) {
		if (src.get_desc() == want) return src;
		memory dst(want, cpu);
		add(reorder(src, dst), {{DNNL_ARG_FROM, src}, {DNNL_ARG_TO, dst}});
		return dst;
	}

	// int8: sum * scale[c], then ReLU and rounding to a byte. The last layer returns the logit.
	static primitive_attr requantize(const float *scale, long channels, bool last) {
		primitive_attr a;
		a.set_output_scales(1 << 1, std::vector<float>(scale, scale + channels));
		if (!last) {
			post_ops relu;
			relu.append_eltwise(1.f, algorithm::eltwise_relu, 0.f, 0.f);
			a.set_post_ops(relu);
		}
		return a;
	}

	// 3x3 windows with stride 2, then a 2x2 pool with stride 2. Returns the side of the output.
	long conv_and_pool(long side, long in, long out) {
		long conv_side = (side - 3) / 2 + 1, pool_side = conv_side / 2;
		auto *w = weights.take<int8_t>(out * 9 * in);
		auto *b = weights.take<int32_t>(out);
		primitive_attr attr = requantize(weights.take<float>(out), out, false);
		memory::desc bias_desc({out}, type::s32, tag::x);
		convolution_forward::primitive_desc conv({prop_kind::forward_inference, algorithm::convolution_direct,
			{{1, in, side, side}, type::u8, tag::any}, {{out, in, 3, 3}, type::s8, tag::any}, bias_desc,
			{{1, out, conv_side, conv_side}, type::u8, tag::any}, {2, 2}, {0, 0}, {0, 0}}, attr, cpu);
		memory given({{out, in, 3, 3}, type::s8, tag::ohwi}, cpu, w);
		memory sums(conv.dst_desc(), cpu);
		x = laid_out(x, conv.src_desc());
		add(convolution_forward(conv), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, prepared(given, conv.weights_desc())},
			{DNNL_ARG_BIAS, memory(bias_desc, cpu, b)}, {DNNL_ARG_DST, sums}});
		pooling_forward::primitive_desc pool({prop_kind::forward_inference, algorithm::pooling_max, conv.dst_desc(),
			{{1, out, pool_side, pool_side}, type::u8, tag::any}, {2, 2}, {2, 2}, {0, 0}, {0, 0}}, cpu);
		x = memory(pool.dst_desc(), cpu);
		add(pooling_forward(pool), {{DNNL_ARG_SRC, sums}, {DNNL_ARG_DST, x}});
		return pool_side;
	}

	void dense(long in, long out, bool last) {
		auto *w = weights.take<int8_t>(out * in);
		auto *b = weights.take<int32_t>(out);
		primitive_attr attr = requantize(weights.take<float>(out), out, last);
		memory::desc bias_desc({out}, type::s32, tag::x);
		inner_product_forward::primitive_desc p({prop_kind::forward_inference, {{1, in}, type::u8, tag::nc},
			{{out, in}, type::s8, tag::any}, bias_desc, {{1, out}, last ? type::f32 : type::u8, tag::nc}}, attr, cpu);
		memory given({{out, in}, type::s8, tag::oi}, cpu, w);
		memory y(p.dst_desc(), cpu);
		add(inner_product_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, prepared(given, p.weights_desc())},
			{DNNL_ARG_BIAS, memory(bias_desc, cpu, b)}, {DNNL_ARG_DST, y}});
		x = y;
	}

public:
	network(const std::string &dir, char *pixels) : weights(dir + "/onednn.bin") {
		x = memory({{1, 1, 379, 379}, type::u8, tag::nhwc}, cpu, pixels);
		long side = 379;
		const long channels[] = {1, 128, 64, 32, 16};
		for (int i = 0; i < 4; i++) side = conv_and_pool(side, channels[i], channels[i + 1]);
		memory last = laid_out(x, {{1, 16, 1, 1}, type::u8, tag::nhwc});
		x = memory({{1, 16}, type::u8, tag::nc}, cpu, last.get_data_handle());
		dense(16, 128, false);
		dense(128, 64, false);
		dense(64, 1, true);
	}

	float run() {
		for (size_t i = 0; i < steps.size(); i++) steps[i].execute(order, args[i]);
		order.wait();
		return *static_cast<float *>(x.get_data_handle());
	}
};

int main(int argc, char **argv) try {
	if (argc != 3) throw std::runtime_error("usage: onednn DIR THREADS");
	reader pixels(std::string(argv[1]) + "/pixels.bin");
	network n(argv[1], pixels.take<char>(379 * 379));
	const double warm_up = 0.15, timed = 0.5;
	float logit = 0;
	for (double began = seconds(); seconds() - began < warm_up;) logit = n.run();
	std::vector<double> ms;
	for (double began = seconds(); seconds() - began < timed;) {
		double t = seconds();
		logit = n.run();
		ms.push_back((seconds() - t) * 1e3);
	}
	std::sort(ms.begin(), ms.end());
	std::printf("%.4f %.4f %zu %.9g\n", ms[ms.size() / 2], ms[0], ms.size(), logit);
} catch (const std::exception &e) {
	std::fprintf(stderr, "onednn: error: %s\n", e.what());
	return 1;
}
