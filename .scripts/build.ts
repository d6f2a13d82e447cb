import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'rolldown';

const ROOT = resolve(import.meta.dirname, '..');

/** Where the bundle lies; its map lies beside it. */
export const BUNDLE = join(ROOT, 'dist', 'main.mjs');

/** Everything that the bundle is made of, and what makes it. */
const SOURCES = ['src', '.scripts/build.ts', 'package-lock.json'];

/** When a file, or the newest file under a directory, was changed last: epoch milliseconds. */
function changedAt(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => changedAt(join(path, name))));
}

/** Whether the bundle is absent, or older than what it is made of. */
export function isStale(): boolean {
  return (
    !existsSync(BUNDLE) ||
    SOURCES.some((source) => changedAt(join(ROOT, source)) > statSync(BUNDLE).mtimeMs)
  );
}

/**
 * Bundles the server into one minified module with its map, and tells which modules went into it.
 *
 * @param file where to write it
 */
export async function buildBundle(file: string = BUNDLE): Promise<readonly string[]> {
  const { output } = await build({
    input: join(ROOT, 'src', 'main.ts'),
    platform: 'node',
    // ES modules first: what nobody calls can then be left out.
    resolve: { mainFields: ['module', 'main'] },
    output: { file, format: 'esm', minify: true, sourcemap: true, codeSplitting: false },
  });
  return output.flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []));
}

if (import.meta.main) await buildBundle();
