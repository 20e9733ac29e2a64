import type { KnownRecipe, Recipe } from '../../worker/client'
import { FIELDS, fieldText, parseField, type FieldKey } from './recipe-fields'

type Texts = Record<FieldKey, string>

/** A recipe while it is edited: the texts of its fields, and what they mean. */
export class RecipeForm {
  known = $state.raw<KnownRecipe>()
  texts = $state<Partial<Texts>>({})

  /** Why a field cannot stay as it is, in words. */
  readonly problems = $derived.by(() => {
    const problems: Partial<Texts> = {}
    for (const field of FIELDS) {
      const parsed = parseField(field, this.texts[field.key] ?? '')
      if ('problem' in parsed) problems[field.key] = parsed.problem
    }
    return problems
  })

  /** The recipe that the fields make; undefined while one of them cannot stay as it is. */
  readonly recipe = $derived.by((): Recipe | undefined => {
    if (!this.known || Object.keys(this.problems).length > 0) return undefined
    const values = FIELDS.map((field) => {
      const parsed = parseField(field, this.texts[field.key] ?? '')
      return [field.key, 'value' in parsed ? parsed.value : null] as const
    })
    return { ...this.known.recipe, ...Object.fromEntries(values) }
  })

  /** Takes a recipe, its values into every field. */
  choose(known: KnownRecipe) {
    this.known = known
    this.texts = Object.fromEntries(FIELDS.map(({ key }) => [key, fieldText(known.recipe[key])]))
  }

  isChanged(key: FieldKey): boolean {
    const field = FIELDS.find((candidate) => candidate.key === key)
    if (!field || !this.known) return false
    const parsed = parseField(field, this.texts[key] ?? '')
    return !('value' in parsed) || parsed.value !== this.known.recipe[key]
  }

  readonly changedCount = $derived(FIELDS.filter(({ key }) => this.isChanged(key)).length)

  /** Puts the recipe's own value back, of one field or of all. */
  reset(key?: FieldKey) {
    if (!this.known) return
    if (key) this.texts[key] = fieldText(this.known.recipe[key])
    else this.choose(this.known)
  }
}
