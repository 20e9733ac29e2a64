import type { Encoder, Tensor } from '../../kernels'
import { ConfigError } from '../errors'
import type { ConnectorSlot } from './definition'
import type { TrainableRows } from './trainable'

/** Features enter the language model as they are. Source: LLaVA's build_vision_projector. */
class IdentityConnector implements TrainableRows {
  forward(_: Encoder, x: Tensor): Tensor {
    return x
  }

  backward(_: Encoder, dy: Tensor): Tensor {
    return dy
  }
}

export const identity: ConnectorSlot = {
  type: 'identity',
  params({ visionWidth, textWidth }) {
    if (visionWidth !== textWidth) {
      throw new ConfigError(
        'config.json: mm_projector_type should be a projector, but is "identity" ' +
          `while the towers' rows have ${visionWidth} numbers and the language model's ${textWidth}. ` +
          'The checkpoint may be damaged or of a kind that is not supported.',
      )
    }
    return {}
  },
  create: () => new IdentityConnector(),
}
