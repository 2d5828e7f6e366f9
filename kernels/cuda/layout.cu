// Which kernels does one tick of a layout launch? All of them: this is the one unit that is compiled.
//
// The method is that of `kernels/src/cpu`, step by step, with the same formulas; `kernels/src/cuda/tick.rs`
// launches these in order. No sum of floating-point numbers is left to the order in which threads
// happen to run: the same device gives the same bits.

#include "types.cuh"
#include "reduce.cuh"
#include "bounds.cu"
#include "cells.cu"
#include "spline.cuh"
#include "spread.cu"
#include "share.cu"
#include "fourier.cuh"
#include "convolve.cu"
#include "field.cu"
#include "random.cuh"
#include "springs.cu"
#include "step.cu"
