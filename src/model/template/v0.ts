import type { ChatTemplate, TemplateMessage } from './definition'
import { llavaV0 } from './llava-v0'

/** The example every conversation begins with; its words are part of the format. */
const EXAMPLE: readonly TemplateMessage[] = [
  {
    role: 'user',
    images: 0,
    text: 'What are the key differences between renewable and non-renewable energy sources?',
  },
  {
    role: 'assistant',
    images: 0,
    text: `Renewable energy sources are those that can be replenished naturally in a relatively short amount of time, \
such as solar, wind, hydro, geothermal, and biomass. Non-renewable energy sources, on the other hand, are finite and \
will eventually be depleted, such as coal, oil, and natural gas. Here are some key differences between renewable and \
non-renewable energy sources:
1. Availability: Renewable energy sources are virtually inexhaustible, while non-renewable energy sources are finite \
and will eventually run out.
2. Environmental impact: Renewable energy sources have a much lower environmental impact than non-renewable sources, \
which can lead to air and water pollution, greenhouse gas emissions, and other negative effects.
3. Cost: Renewable energy sources can be more expensive to initially set up, but they typically have lower operational \
costs than non-renewable sources.
4. Reliability: Renewable energy sources are often more reliable and can be used in more remote locations than \
non-renewable sources.
5. Flexibility: Renewable energy sources are often more flexible and can be adapted to different situations and needs, \
while non-renewable sources are more rigid and inflexible.
6. Sustainability: Renewable energy sources are more sustainable over the long term, while non-renewable sources are \
not, and their depletion can lead to economic and social instability.
`,
  },
]

/** Vicuna v0: llava_v0 with an example. Source: LLaVA conversation.py, conv_vicuna_v0. */
export const v0: ChatTemplate = {
  name: 'v0',
  stop: llavaV0.stop,
  render(messages) {
    const system = messages.filter(({ role }) => role === 'system')
    const turns = messages.filter(({ role }) => role !== 'system')
    return llavaV0.render([...system, ...EXAMPLE, ...turns])
  },
  // The example has no part in training.
  ...(llavaV0.labels && { labels: llavaV0.labels }),
}
