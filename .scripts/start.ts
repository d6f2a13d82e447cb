import { pathToFileURL } from 'node:url';
import { BUNDLE, buildBundle, isStale } from './build.ts';

/**
 * `npm start`: the bundle, built if it is absent or older than the sources, run from the
 * environment alone.
 */
if (isStale()) {
  process.stderr.write('building the bundle\n');
  await buildBundle();
}
process.setSourceMapsEnabled(true);
await import(pathToFileURL(BUNDLE).href);
