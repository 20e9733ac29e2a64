import type { ChatModel } from '../model/chat-model'
import { ConfigError } from '../model/errors'
import { lookAtTokens, lookAtTowers, type Turn } from '../model/look'
import type { Look, LookRequest } from './api'

/** Throws: ConfigError when there is no reply to look into, or the model cannot tell. */
export async function look(model: ChatModel, turn: Turn | undefined, request: LookRequest): Promise<Look> {
  if (!turn?.tokenIds.length) {
    throw new ConfigError('look: expected a reply to look into, and there is none. Ask a question first.')
  }
  if (request.kind === 'word') return { images: await lookAtTokens(model, turn, request.tokens) }
  const towers = model.plan.towers.map(({ name }) => name)
  return { images: [{ ...(await lookAtTowers(model, turn, request.image)), towers }] }
}
