import { describe, it } from 'vitest';
import { lacksMoto } from '../local/support.ts';
import { describeConformance } from './suite.ts';
import { startBundleOnMoto } from './targets.ts';

const reason = lacksMoto();
if (reason === undefined) describeConformance('the bundle on moto', startBundleOnMoto);
else describe('conformance: the bundle on moto', () => void it.skip(reason));
