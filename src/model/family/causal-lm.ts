import { languageModels } from '../language'
import { ConfigReader } from '../config-reader'
import { lookUp } from '../registry'
import { renameBy, type FamilySlot } from './definition'

/** A text-only language model on its own. */
export const causalLm: FamilySlot = {
  modelTypes: Object.keys(languageModels),

  async blueprint(config) {
    const type = new ConfigReader(config, 'config.json:').string('model_type')
    const language = (await lookUp(languageModels, 'model_type', type)).configure(config, 'config.json:')
    return {
      architecture: type,
      language,
      vision: undefined,
      rename: renameBy([
        [/(^|\.)rotary_emb\.inv_freq$/, undefined],
        [/^/, 'language.'],
      ]),
    }
  },
}
