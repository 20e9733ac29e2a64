import { elementCount, Encoder } from '../../kernels'
import type { ChatModel } from '../chat-model'
import { AbortError, TrainingError } from '../errors'
import type { Codecs } from '../image/codecs'
import type { RgbImage } from '../image/image'
import { FeatureCache } from './features'
import { Random } from './random'
import { recipes } from './recipes'
import { Stage1 } from './stage1'
import { expandAndCut } from './supervise'
import { TrainedConnector, type ConnectorValues } from './trained-connector'
import type { TrainingSample } from './training-pass'

/** Change of a weight at the farthest point, as a share of its parameter's root mean square. */
const STEP = 0.02
/** Change of the loss at the farthest point, as a share of it: beyond, curvature shows. */
const MOST_CHANGE = 2e-3
/** Change of the loss, as a share of it, below which a direction is flat: the noise would show. */
const LEAST_CHANGE = 1e-4
/** By how much a flat direction is lengthened at most. */
const MOST_LONGER = 10
/** Error of a loss in f32, as a share of it. On lavapipe losses of recorded runs are within 2.2e-7 of PyTorch's. */
const LOSS_NOISE = 5e-7
/** What is left of the fourth order beside the noise, with room for drivers that fuse and reorder. */
const TOLERANCE = 0.02

export interface GradientCheck {
  readonly name: string
  readonly analytic: number
  readonly numeric: number
  readonly relativeError: number
  readonly passed: boolean
  /** Whether a wrong gradient would have shown: not where both slopes drown in the rounding of the losses. */
  readonly resolved: boolean
}

export interface GradientChecks {
  readonly loss: number
  readonly tolerance: number
  readonly passed: boolean
  readonly checks: readonly GradientCheck[]
}

/**
 * Compares the gradient of a connector with central differences of the loss along random directions: all parameters
 * together, and each by itself. Two drawn pictures with captions are the data; nothing of the model is changed.
 *
 * Half of the directions are random throughout; in the others, and wherever the loss hardly changes along a random one,
 * every entry has the sign of its gradient, so that what is tested stands out of the rounding of the losses. Where that is
 * not enough the direction is lengthened.
 *
 * Throws: TrainingError for models that cannot be trained; AbortError; DeviceLostError.
 */
export async function checkGradients(
  model: ChatModel,
  options: {
    readonly directions: number
    readonly seed: number
    readonly codecs: Codecs
    readonly start?: ConnectorValues | undefined
    readonly signal: AbortSignal
    readonly onProgress?: ((done: number, total: number) => void) | undefined
  },
): Promise<GradientChecks> {
  const { vlm, opened } = model
  const { directions, seed, signal } = options
  const trained = vlm.gpu.allOrNone(() => new TrainedConnector(vlm.gpu, opened.blueprint))
  try {
    const weights = options.start ?? (await model.connectorValues())
    trained.write(weights)
    const stage = new Stage1(vlm, trained, recipes['llava-1.5'].recipe)
    const samples = await drawnSamples(model, options)
    const loss = await stage.gradients(samples)
    const gradients = await readGradients(model, trained)
    const lossAt = async (values: ConnectorValues) => {
      trained.write(values)
      return stage.loss(samples)
    }
    const names = Object.keys(trained.specs)
    const spaces = [
      ...Array.from({ length: directions }, () => ({ name: 'all parameters', of: names })),
      ...names.map((name) => ({ name, of: [name] })),
    ]
    const checks: GradientCheck[] = []
    const numbers = new Random(seed, 'gradient check')
    for (const [i, { name, of }] of spaces.entries()) {
      if (signal.aborted) throw new AbortError('gradient check: stopped by the reader.')
      options.onProgress?.(i, spaces.length)
      const slopeAlong = (direction: ConnectorValues) =>
        of.reduce((sum, key) => sum + dot(gradients.get(key)!, direction.get(key)!), 0)
      const isFlat = (direction: ConnectorValues) => Math.abs(slopeAlong(direction) / loss) < LEAST_CHANGE
      const random = directionIn(of, weights, gradients, numbers, i % 2 === 1)
      const drawn = isFlat(random) ? directionIn(of, weights, gradients, numbers, true) : random
      const change = Math.abs(slopeAlong(drawn) / loss)
      const length = Math.min(MOST_CHANGE / change, Math.max(1, Math.min(MOST_LONGER, LEAST_CHANGE / change)))
      const direction = new Map([...drawn].map(([key, along]) => [key, along.map((z) => z * length)]))
      const analytic = slopeAlong(direction)
      const slope = async (step: number) =>
        ((await lossAt(moved(weights, direction, step))) - (await lossAt(moved(weights, direction, -step)))) /
        (2 * step)
      // Richardson: the error of the second order cancels.
      const numeric = (4 * (await slope(0.5)) - (await slope(1))) / 3
      const noise = 4 * LOSS_NOISE * Math.abs(loss)
      const error = Math.abs(analytic - numeric)
      const relativeError = error / Math.max(Math.abs(analytic), Math.abs(numeric), noise)
      const passed = Number.isFinite(numeric) && (relativeError <= TOLERANCE || error <= noise)
      const resolved = !passed || Math.max(Math.abs(analytic), Math.abs(numeric)) > noise
      checks.push({ name, analytic, numeric, relativeError, passed, resolved })
    }
    options.onProgress?.(spaces.length, spaces.length)
    return { loss, tolerance: TOLERANCE, passed: checks.every(({ passed }) => passed), checks }
  } finally {
    trained.destroy()
  }
}

/** A direction whose largest step, of length 1, changes a weight by `STEP` of its parameter's size. */
function directionIn(
  names: readonly string[],
  weights: ConnectorValues,
  gradients: ConnectorValues,
  random: Random,
  follows: boolean,
): ConnectorValues {
  return new Map(
    names.map((name) => {
      const values = weights.get(name)!
      const gradient = gradients.get(name)!
      // A parameter of zeros moves as one of the usual size would.
      const size = Math.sqrt(dot(values, values) / values.length) || 0.02
      return [
        name,
        Float32Array.from(values, (_, i) => {
          const z = random.normal()
          return STEP * size * (follows && gradient[i] !== 0 ? Math.abs(z) * Math.sign(gradient[i]!) : z)
        }),
      ]
    }),
  )
}

const moved = (weights: ConnectorValues, direction: ConnectorValues, step: number): ConnectorValues =>
  new Map(
    [...weights].map(([name, values]) => {
      const along = direction.get(name)
      return [name, along ? values.map((value, i) => value + step * along[i]!) : values]
    }),
  )

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

async function readGradients(model: ChatModel, trained: TrainedConnector): Promise<ConnectorValues> {
  const enc = new Encoder(model.vlm.gpu, model.vlm.arena, 'read gradients')
  const values = new Map<string, Float32Array<ArrayBuffer>>()
  for (const name of Object.keys(trained.specs)) {
    values.set(name, (await enc.read(trained.gradient(name))) as Float32Array<ArrayBuffer>)
  }
  enc.end()
  return values
}

/** A wide picture and a tall one, each with a caption of the plain template. */
async function drawnSamples(
  model: ChatModel,
  { codecs, signal }: { codecs: Codecs; signal: AbortSignal },
): Promise<TrainingSample[]> {
  const { vlm, opened, tokenizer, plan } = model
  const { vision } = opened.blueprint
  const features = new FeatureCache(vlm, {
    processors: opened.processors,
    codecs,
    towerKeys: plan.towers.map(({ name }) => name),
  })
  const drawn: [RgbImage, string][] = [
    [draw(96, 64), 'A red square on a green field.'],
    [draw(60, 90), 'Blue water under a bright sky.'],
  ]
  const pictures = await features.ofImages(
    drawn.map(([picture]) => picture),
    signal,
  )
  return drawn.map(([, caption], i) => {
    const supervised = tokenizer.supervise(
      [
        { from: 'human', value: '<image>' },
        { from: 'gpt', value: caption },
      ],
      { template: 'plain', captionEnd: 'newline' },
    )
    return {
      picture: pictures[i]!,
      place: (rows) => {
        const placed = expandAndCut(supervised, vision!.imageTokenId, rows, Infinity)
        if (placed.unusable !== undefined) throw new TrainingError(`gradient check: ${placed.unusable}`)
        return placed
      },
    }
  })
}

/** Slopes of colour with a square in the middle. */
function draw(width: number, height: number): RgbImage {
  const data = new Uint8Array(elementCount([height, width, 3]))
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = Math.abs(x - width / 2) < width / 5 && Math.abs(y - height / 2) < height / 5
      const colour = inside ? [220, 40, 40] : [(x * 255) / width, (y * 255) / height, 128]
      data.set(colour, (y * width + x) * 3)
    }
  }
  return { width, height, channels: 3, data }
}
