// Sums of three neighbours by way of shared memory, as a kernel should do it, and with one bug at a time: #define BUG.
#ifndef BUG
#define BUG NONE
#endif
enum { NONE, MISSING_BARRIER, OFF_BY_ONE, EARLY_RETURN, SINGLE_BUFFER, DIVERGENT_BARRIER, REGISTER_OVERRUN,
       SHARED_OVERRUN, HALO_LEFT_OUT, LAST_LEFT_OUT, WRITTEN_TWICE, MISALIGNED, ABSENT_LANE, OVERFLOW_OF_INT,
       ENDLESS_RECURSION, WILD_WRITE, STRUCT_OUTSIDE };

constexpr int TILE = 32;

struct __align__(16) Four {
    float at[4];
};

__device__ float first_of(Four four) { return four.at[0]; }

int fall(int depth) {
    volatile char much[1024];
    much[depth % 1024] = (char)depth;
    return depth < 0 ? 0 : fall(depth + 1) + much[0];
}

extern "C" __global__ void sum_three(const float* __restrict__ x, float* __restrict__ y, int n) {
    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    float* tile = (float*)dynamic_shared;
    __shared__ float constant_tile[TILE];
    int lane = threadIdx.x, i = blockIdx.x * TILE + lane;
    if (BUG == EARLY_RETURN && i >= n) return;
    int at = i < n ? i : n - 1;
    tile[lane + 1] = x[BUG == OFF_BY_ONE ? i + 1 : at];
    if (lane == 0 && BUG != HALO_LEFT_OUT) tile[0] = x[at > 0 ? at - 1 : 0];
    if (lane == TILE - 1) tile[TILE + 1] = x[at < n - 1 ? at + 1 : n - 1];
    constant_tile[lane] = x[at];
    if (BUG == DIVERGENT_BARRIER) {
        if (lane < TILE / 2) __syncthreads();
        else __syncthreads();
    } else if (BUG != MISSING_BARRIER) {
        __syncthreads();
    }
    float sum = 0;
    int length = BUG == REGISTER_OVERRUN ? n : 3;
    float kept[3];
    for (int tap = 0; tap < length; ++tap) {
        kept[tap] = tile[lane + (tap < 2 ? tap : 2)];
        sum += kept[tap];
    }
    if (BUG == SHARED_OVERRUN) sum += constant_tile[lane + (n > 0)];
    if (BUG == MISALIGNED) {
        Four four = *(const Four*)(x + 1);
        sum += four.at[lane % 4];
    }
    if (BUG == STRUCT_OUTSIDE) sum += first_of(((const Four*)x)[i]);
    if (BUG == ABSENT_LANE && lane < TILE / 2) sum += __shfl_down_sync(0x0000ffffu, sum, TILE / 2);
    if (BUG == OVERFLOW_OF_INT) sum += (float)((n << 20) * (n << 20));
    if (BUG == ENDLESS_RECURSION) sum += fall(n);
    __syncthreads();
    // Once more, from the sums: what overwrites a tile that others still read is seen here.
    if (BUG == SINGLE_BUFFER) {
        tile[lane + 1] = sum;
        sum = tile[lane] + tile[lane + 1];
    }
    if (BUG == WILD_WRITE) y[i + n] = sum;
    if (i < n && !(BUG == LAST_LEFT_OUT && i == n - 1)) y[BUG == WRITTEN_TWICE ? i / 2 : i] = sum;
}

// The sum of a block by shuffles within warps and shared memory between them.
extern "C" __global__ void __launch_bounds__(512, 1) sum_block(const float* __restrict__ x, float* __restrict__ y, int n) {
    __shared__ float sums[32];
    float sum = (int)threadIdx.x < n ? x[threadIdx.x] : 0.0f;
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        float total = 0;
        for (int warp = 0; warp < (int)blockDim.x / 32; ++warp) total += sums[warp];
        y[0] = total;
    }
}

// Neighbours are read where they stand: right only into another array.
extern "C" __global__ void smooth(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i > 0 && i < n) y[i] = 0.5f * (x[i - 1] + x[i]);
}

// Counts in one word for all threads.
extern "C" __global__ void count_positive(const float* x, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool positive = i < n && x[i] > 0;
    unsigned votes = __ballot_sync(0xffffffffu, positive);
    if (threadIdx.x % 32 == 0) atomicAdd(y, __builtin_popcount(votes));
}
