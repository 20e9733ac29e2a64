import { createStore, del, update, values, type UseStore } from 'idb-keyval'
import type { KeptModel, ModelIndex } from '../model/kept-models'

/** The index of models that this browser keeps for the page's origin, in IndexedDB. */
export function openModelIndex(store: UseStore = createStore('trilobite-models', 'models')): ModelIndex {
  return {
    all: () => values<KeptModel>(store),
    update: (id, change) => update<KeptModel>(id, change, store),
    remove: (id) => del(id, store),
  }
}
