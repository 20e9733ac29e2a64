// A register tile of 16 rows x 4 columns a lane, for CPU adapters with subgroups. The lanes of a subgroup hold different
// columns of the tile and share its rows, so of what belongs to rows each lane loads other ones and hands them round: a CPU
// adapter fetches lane by lane even where all lanes read one address (lavapipe: 65 ns a vec4f, as much as a hundred
// multiply-adds), and moves registers for next to nothing.

enable subgroups;

const LANES = 8u;  // lanes of the workgroup and of the subgroup: 4 or 8
const ROWS = 16u;  // rows of the tile: 8 or 16

alias Tile = array<vec4f, 16>;
alias Held = array<vec4f, 4>;  // element i: what this lane loaded for row i * LANES + lane

/// tile[r] += row r * columns. Indices are written out so that the tile stays in registers.
fn add_products(tile: ptr<function, Tile>, held: Held, columns: mat4x4f) {
  (*tile)[0] += subgroupBroadcast(held[0], 0u) * columns;
  (*tile)[1] += subgroupBroadcast(held[0], 1u) * columns;
  (*tile)[2] += subgroupBroadcast(held[0], 2u) * columns;
  (*tile)[3] += subgroupBroadcast(held[0], 3u) * columns;
  (*tile)[4] += subgroupBroadcast(held[4u / LANES], 4u % LANES) * columns;
  (*tile)[5] += subgroupBroadcast(held[5u / LANES], 5u % LANES) * columns;
  (*tile)[6] += subgroupBroadcast(held[6u / LANES], 6u % LANES) * columns;
  (*tile)[7] += subgroupBroadcast(held[7u / LANES], 7u % LANES) * columns;
  if (ROWS == 16u) {
    (*tile)[8] += subgroupBroadcast(held[8u / LANES], 8u % LANES) * columns;
    (*tile)[9] += subgroupBroadcast(held[9u / LANES], 9u % LANES) * columns;
    (*tile)[10] += subgroupBroadcast(held[10u / LANES], 10u % LANES) * columns;
    (*tile)[11] += subgroupBroadcast(held[11u / LANES], 11u % LANES) * columns;
    (*tile)[12] += subgroupBroadcast(held[12u / LANES], 12u % LANES) * columns;
    (*tile)[13] += subgroupBroadcast(held[13u / LANES], 13u % LANES) * columns;
    (*tile)[14] += subgroupBroadcast(held[14u / LANES], 14u % LANES) * columns;
    (*tile)[15] += subgroupBroadcast(held[15u / LANES], 15u % LANES) * columns;
  }
}
