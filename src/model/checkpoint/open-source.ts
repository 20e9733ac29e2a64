import { filesSource } from './files-source'
import { httpSource, type HttpOptions } from './http-source'
import { hubSource } from './hub-source'
import type { CheckpointSource, FilesLocation, HubLocation, UrlLocation } from './source'

/**
 * The byte source of a place a visitor named.
 *
 * Throws: ConfigError, CheckpointError as the sources do.
 */
export function openSource(
  location: HubLocation | UrlLocation | FilesLocation,
  options: HttpOptions = {},
): CheckpointSource {
  switch (location.kind) {
    case 'hub':
      return hubSource({ ...location, ...options })
    case 'url':
      return httpSource(location.baseUrl, options)
    case 'files':
      return filesSource(location)
  }
}
