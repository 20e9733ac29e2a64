import { describe, expect, test } from 'vitest'
import type { TowerBlueprint } from './family/definition'
import type { ParameterSpecs } from './parameters'
import { pictureCost, picturesAtOnce, type PictureCost } from './picture-cost'
import { clip } from './vision/clip'
import { convnext } from './vision/convnext'

const MIB = 2 ** 20
const GPU = { maxBindingBytes: 2 ** 31, isSoftware: false, maxDispatchFlops: 5e10 }
const SOFTWARE = { ...GPU, isSoftware: true, maxDispatchFlops: 1e9 }

describe('pictures at once', () => {
  const cost: PictureCost = { activationBytes: 40 * MIB, tensorBytes: 10 * MIB, flops: 4e8 }

  test.each([
    ['one where nothing is spare', 0, GPU, {}, 1],
    ['one where kept pictures take more than was spare', -90 * MIB, GPU, {}, 1],
    ['one where no second fits', 39 * MIB, GPU, {}, 1],
    ['the planned one and those that the spare bytes hold', 80 * MIB, GPU, {}, 3],
    ['no more than four', 4000 * MIB, GPU, {}, 4],
    [
      'what a binding holds, for buffers longer than their tensors',
      4000 * MIB,
      { ...GPU, maxBindingBytes: 37 * MIB },
      {},
      2,
    ],
    ['one where not even that fits a binding', 4000 * MIB, { ...GPU, maxBindingBytes: 2 * MIB }, {}, 1],
    ['on a CPU, what makes a dispatch of its longest', 4000 * MIB, SOFTWARE, {}, 2],
    ['on a CPU, one that is more work than that', 4000 * MIB, SOFTWARE, { flops: 6e11 }, 1],
    ['on a CPU, as many as fit where another engine does the work', 80 * MIB, SOFTWARE, { flops: 0 }, 3],
  ])('%s', (_, spareBytes, caps, changes, count) => {
    expect(picturesAtOnce({ ...cost, ...changes }, spareBytes, caps)).toBe(count)
  })
})

describe('a picture costs', () => {
  const blueprint = (tower: TowerBlueprint['tower'], depth: number) => {
    const output = { depth }
    const specs: ParameterSpecs = Object.fromEntries(
      Object.entries(tower.params(output)).map(([name, spec]) => [`vision.${name}`, spec]),
    )
    return pictureCost(
      { name: 'a tower', prefix: 'vision', tower, output, dropsFirstRow: false, tokens: undefined },
      specs,
    )
  }

  test('a ViT rows of its width and its MLP', () => {
    const config = {
      hidden_size: 64,
      intermediate_size: 256,
      num_hidden_layers: 3,
      image_size: 56,
      patch_size: 14,
    }
    const cost = blueprint(clip.configure({ ...config, num_attention_heads: 2 }, 'test:'), 2)
    // 16 patches and the class token; 10 rows of 64 and 2 of 256.
    expect(cost.activationBytes).toBe(17 * (10 * 64 + 2 * 256) * 4)
    // The pixels are larger than 17 rows of 256.
    expect(cost.tensorBytes).toBe(3 * 56 * 56 * 4)
    expect(cost.flops).toBe(2 * 16 * (2 * (4 * 64 * 64 + 2 * 64 * 256) + 64 * 3 * 14 * 14))
  })

  test('a pyramid its maps and copies of the finest', () => {
    const config = { hidden_sizes: [8, 16], depths: [1, 1], image_size: 64 }
    const cost = blueprint(convnext.configure(config, 'test:'), 2)
    expect(cost.activationBytes).toBe((16 * 16 * 8 + 8 * 8 * 16 + 4 * 16 * 16 * 8) * 4)
    expect(cost.tensorBytes).toBe(3 * 64 * 64 * 4)
  })
})
