import { lacksMoto } from '../local/support.ts';
import { describeConformance } from './suite.ts';
import { startBundleOnMoto } from './targets.ts';

describeConformance('the bundle on moto', startBundleOnMoto, lacksMoto());
