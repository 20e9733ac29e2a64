// A register tile of ROWS rows x 4 columns a lane, for CPU adapters with subgroups. The lanes of a subgroup hold different
// columns of the tile and share its rows, so of what belongs to rows each lane loads other ones and hands them round: a CPU
// adapter fetches lane by lane even where all lanes read one address (lavapipe: 65 ns a vec4f, as much as a hundred
// multiply-adds), and moves registers for next to nothing.

enable subgroups;

const LANES = 8u;  // lanes of the workgroup and of the subgroup: 4 or 8
const ROWS = 16u;  // rows of the tile: 8, 16 or 32, at most 4 * LANES
const BY_DOTS = false;

alias Step = vec4f;       // neighbouring terms of the sums, added at a time: vec2f or vec4f
alias Columns = mat4x4f;  // those terms of four columns: mat4x2f or mat4x4f

alias Tile = array<vec4f, 32>;  // the first ROWS are in use
alias Held = array<Step, 4>;    // element i: what this lane loaded for row i * LANES + lane

/// One row's products with four columns. The sums are the same either way; which of them llvmpipe's LLVM allots registers for
/// well was measured: dots for half-precision weights (16.4 against 11.9 GFLOP/s a CPU second), else not (12.5, 14.1).
fn products(terms: Step, columns: Columns) -> vec4f {
  if (BY_DOTS) {
    return vec4f(dot(terms, columns[0]), dot(terms, columns[1]), dot(terms, columns[2]), dot(terms, columns[3]));
  }
  return terms * columns;
}

/// tile[r] += row r * columns. Indices are written out so that the tile stays in registers.
fn add_products(tile: ptr<function, Tile>, held: Held, columns: Columns) {
  (*tile)[0] += products(subgroupBroadcast(held[0], 0u), columns);
  (*tile)[1] += products(subgroupBroadcast(held[0], 1u), columns);
  (*tile)[2] += products(subgroupBroadcast(held[0], 2u), columns);
  (*tile)[3] += products(subgroupBroadcast(held[0], 3u), columns);
  (*tile)[4] += products(subgroupBroadcast(held[4u / LANES], 4u % LANES), columns);
  (*tile)[5] += products(subgroupBroadcast(held[5u / LANES], 5u % LANES), columns);
  (*tile)[6] += products(subgroupBroadcast(held[6u / LANES], 6u % LANES), columns);
  (*tile)[7] += products(subgroupBroadcast(held[7u / LANES], 7u % LANES), columns);
  if (ROWS >= 16u) {
    (*tile)[8] += products(subgroupBroadcast(held[8u / LANES], 8u % LANES), columns);
    (*tile)[9] += products(subgroupBroadcast(held[9u / LANES], 9u % LANES), columns);
    (*tile)[10] += products(subgroupBroadcast(held[10u / LANES], 10u % LANES), columns);
    (*tile)[11] += products(subgroupBroadcast(held[11u / LANES], 11u % LANES), columns);
    (*tile)[12] += products(subgroupBroadcast(held[12u / LANES], 12u % LANES), columns);
    (*tile)[13] += products(subgroupBroadcast(held[13u / LANES], 13u % LANES), columns);
    (*tile)[14] += products(subgroupBroadcast(held[14u / LANES], 14u % LANES), columns);
    (*tile)[15] += products(subgroupBroadcast(held[15u / LANES], 15u % LANES), columns);
  }
  // Of eight lanes.
  if (ROWS == 32u) {
    (*tile)[16] += products(subgroupBroadcast(held[2], 0u), columns);
    (*tile)[17] += products(subgroupBroadcast(held[2], 1u), columns);
    (*tile)[18] += products(subgroupBroadcast(held[2], 2u), columns);
    (*tile)[19] += products(subgroupBroadcast(held[2], 3u), columns);
    (*tile)[20] += products(subgroupBroadcast(held[2], 4u), columns);
    (*tile)[21] += products(subgroupBroadcast(held[2], 5u), columns);
    (*tile)[22] += products(subgroupBroadcast(held[2], 6u), columns);
    (*tile)[23] += products(subgroupBroadcast(held[2], 7u), columns);
    (*tile)[24] += products(subgroupBroadcast(held[3], 0u), columns);
    (*tile)[25] += products(subgroupBroadcast(held[3], 1u), columns);
    (*tile)[26] += products(subgroupBroadcast(held[3], 2u), columns);
    (*tile)[27] += products(subgroupBroadcast(held[3], 3u), columns);
    (*tile)[28] += products(subgroupBroadcast(held[3], 4u), columns);
    (*tile)[29] += products(subgroupBroadcast(held[3], 5u), columns);
    (*tile)[30] += products(subgroupBroadcast(held[3], 6u), columns);
    (*tile)[31] += products(subgroupBroadcast(held[3], 7u), columns);
  }
}
