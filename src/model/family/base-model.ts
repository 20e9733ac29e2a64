import { isRepoName } from '../checkpoint/hub-source'
import type { JsonObject } from '../config-reader'
import { BASE } from '../repositories'
import type { FamilyContext } from './definition'

/** The model an adapter belongs to: the one asked for, or the one its config was made from where that is on the hub. */
export function baseOf(config: JsonObject, { repositories }: FamilyContext): string | undefined {
  if (repositories.base) return BASE
  const origin = config['_name_or_path']
  return typeof origin === 'string' && isRepoName(origin) ? origin : undefined
}
