import type { ChatTemplate } from './definition'
import type { LabelRuleMaker } from './labels/definition'
import { cambrianMptLabels, llavaMptLabels } from './labels/marked'
import { chatMlWithoutNewlines } from './styles'

const withLabels = (labels: LabelRuleMaker): ChatTemplate =>
  chatMlWithoutNewlines(
    'mpt',
    'A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers.',
    labels,
  )

/** LLaVA on MPT. Source: LLaVA conversation.py, conv_mpt. */
export const mpt = withLabels(llavaMptLabels)

/** The same text in Cambrian, whose labels differ. Source: Cambrian conversation.py, conv_mpt. */
export const cambrianMpt = withLabels(cambrianMptLabels)
