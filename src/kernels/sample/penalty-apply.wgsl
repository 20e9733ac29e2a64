// Repetition penalty:  scores = logit / p where logit > 0, logit * p else, for the ids seen; logit for the others
//
//   logits  [V]       f32 bits  read   scores of the next token
//   seen    [V / 32]  u32       read   a bit an id
//   scores  [V]       f32 bits  write  penalised logits
//
// One lane an id; each id is penalised once, however often it was said. NaNs pass through.
// Source: Keskar et al. 2019, arXiv:1909.05858, section 4.1; as Hugging Face's RepetitionPenaltyLogitsProcessor.

override WG: u32 = 256u;

struct Params {
  V: u32,
  penalty: f32,
}

@group(0) @binding(0) var<storage, read> logits: array<u32>;
@group(0) @binding(1) var<storage, read> seen: array<u32>;
@group(0) @binding(2) var<storage, read_write> scores: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn penalty_apply(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_id) lid: vec3u) {
  let id = wid.x * WG + lid.x;
  if (id >= params.V) { return; }
  var bits = logits[id];
  let said = (seen[id / 32u] >> (id % 32u)) & 1u;
  if (said == 1u && (bits & 0x7fffffffu) < 0x7f800000u) {
    let logit = bitcast<f32>(bits);
    bits = bitcast<u32>(select(logit * params.penalty, logit / params.penalty, logit > 0.0));
  }
  scores[id] = bits;
}
