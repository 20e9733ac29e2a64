import { signalLabels } from './labels/signals'
import { namedSpeakers } from './styles'

/** LLaVA's first template. Source: LLaVA conversation.py, conv_llava_v0. */
export const llavaV0 = namedSpeakers({
  name: 'llava_v0',
  system:
    'A chat between a curious human and an artificial intelligence assistant. ' +
    "The assistant gives helpful, detailed, and polite answers to the human's questions.",
  user: 'Human',
  assistant: 'Assistant',
  afterSystem: '###',
  userEnd: '###',
  assistantEnd: '###',
  stop: ['###'],
  labels: signalLabels,
})
