import { mount } from 'svelte'
import { withEndpoints } from '../remote/engine-switch'
import { connectEngine } from '../worker/client'
import { startEngineWorker } from '../worker/start-worker'
import App from './App.svelte'
import { openIndexedDb } from './chats/indexed-db-store'
import { browserTabs } from './chats/tabs'
import { AppState } from './state/app.svelte'
import { indexedDbRunData } from './train/run-data'
import './styles/tokens.css'
import './styles/base.css'
import './styles/page.css'

const app = new AppState(
  withEndpoints((onCrash) => connectEngine(startEngineWorker, onCrash)),
  { open: openIndexedDb, tabs: browserTabs() },
  indexedDbRunData(),
)

mount(App, { target: document.getElementById('app')!, props: { app } })

// For the console and the browser tests: does to the page what a driver reset would.
Object.assign(globalThis, { trilobite: { loseDevice: () => app.engine.loseDevice() } })
