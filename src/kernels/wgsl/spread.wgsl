// Vectors that lanes of a subgroup hold, handed to all of them four at a time. Lanes 4 to 7 exist where LANES is 8.

enable subgroups;

const LANES = 8u;  // lanes of the workgroup and of the subgroup: 4 or 8

fn spread(held: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(held, 0u),
    subgroupBroadcast(held, 1u),
    subgroupBroadcast(held, 2u),
    subgroupBroadcast(held, 3u),
  );
}

fn spread_upper(held: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(held, 4u % LANES),
    subgroupBroadcast(held, 5u % LANES),
    subgroupBroadcast(held, 6u % LANES),
    subgroupBroadcast(held, 7u % LANES),
  );
}
