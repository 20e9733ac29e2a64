// A register tile of ROWS rows x 4 columns a lane, for CPU adapters with subgroups. The lanes of a subgroup hold different
// columns of the tile and share its rows, so of what belongs to rows each lane loads other ones and hands them round: a CPU
// adapter fetches lane by lane even where all lanes read one address (lavapipe: 65 ns a vec4f, as much as a hundred
// multiply-adds), and moves registers for next to nothing.

enable subgroups;

const LANES = 8u;  // lanes of the workgroup and of the subgroup: 4 or 8
const ROWS = 16u;  // rows of the tile: 8, 16 or 32, at most 4 * LANES

alias Step = vec4f;       // neighbouring terms of the sums, added at a time: vec2f or vec4f
alias Columns = mat4x4f;  // those terms of four columns: mat4x2f or mat4x4f

alias Tile = array<vec4f, 32>;  // the first ROWS are in use
alias Held = array<Step, 4>;    // element i: what this lane loaded for row i * LANES + lane

/// tile[r] += row r * columns. Indices are written out so that the tile stays in registers.
fn add_products(tile: ptr<function, Tile>, held: Held, columns: Columns) {
  (*tile)[0] += subgroupBroadcast(held[0], 0u) * columns;
  (*tile)[1] += subgroupBroadcast(held[0], 1u) * columns;
  (*tile)[2] += subgroupBroadcast(held[0], 2u) * columns;
  (*tile)[3] += subgroupBroadcast(held[0], 3u) * columns;
  (*tile)[4] += subgroupBroadcast(held[4u / LANES], 4u % LANES) * columns;
  (*tile)[5] += subgroupBroadcast(held[5u / LANES], 5u % LANES) * columns;
  (*tile)[6] += subgroupBroadcast(held[6u / LANES], 6u % LANES) * columns;
  (*tile)[7] += subgroupBroadcast(held[7u / LANES], 7u % LANES) * columns;
  if (ROWS >= 16u) {
    (*tile)[8] += subgroupBroadcast(held[8u / LANES], 8u % LANES) * columns;
    (*tile)[9] += subgroupBroadcast(held[9u / LANES], 9u % LANES) * columns;
    (*tile)[10] += subgroupBroadcast(held[10u / LANES], 10u % LANES) * columns;
    (*tile)[11] += subgroupBroadcast(held[11u / LANES], 11u % LANES) * columns;
    (*tile)[12] += subgroupBroadcast(held[12u / LANES], 12u % LANES) * columns;
    (*tile)[13] += subgroupBroadcast(held[13u / LANES], 13u % LANES) * columns;
    (*tile)[14] += subgroupBroadcast(held[14u / LANES], 14u % LANES) * columns;
    (*tile)[15] += subgroupBroadcast(held[15u / LANES], 15u % LANES) * columns;
  }
  if (ROWS == 32u) {
    (*tile)[16] += subgroupBroadcast(held[16u / LANES], 16u % LANES) * columns;
    (*tile)[17] += subgroupBroadcast(held[17u / LANES], 17u % LANES) * columns;
    (*tile)[18] += subgroupBroadcast(held[18u / LANES], 18u % LANES) * columns;
    (*tile)[19] += subgroupBroadcast(held[19u / LANES], 19u % LANES) * columns;
    (*tile)[20] += subgroupBroadcast(held[20u / LANES], 20u % LANES) * columns;
    (*tile)[21] += subgroupBroadcast(held[21u / LANES], 21u % LANES) * columns;
    (*tile)[22] += subgroupBroadcast(held[22u / LANES], 22u % LANES) * columns;
    (*tile)[23] += subgroupBroadcast(held[23u / LANES], 23u % LANES) * columns;
    (*tile)[24] += subgroupBroadcast(held[24u / LANES], 24u % LANES) * columns;
    (*tile)[25] += subgroupBroadcast(held[25u / LANES], 25u % LANES) * columns;
    (*tile)[26] += subgroupBroadcast(held[26u / LANES], 26u % LANES) * columns;
    (*tile)[27] += subgroupBroadcast(held[27u / LANES], 27u % LANES) * columns;
    (*tile)[28] += subgroupBroadcast(held[28u / LANES], 28u % LANES) * columns;
    (*tile)[29] += subgroupBroadcast(held[29u / LANES], 29u % LANES) * columns;
    (*tile)[30] += subgroupBroadcast(held[30u / LANES], 30u % LANES) * columns;
    (*tile)[31] += subgroupBroadcast(held[31u / LANES], 31u % LANES) * columns;
  }
}
