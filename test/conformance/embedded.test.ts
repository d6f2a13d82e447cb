import { describeConformance } from './suite.ts';
import { startBundleOnEmbedded, startEmbedded } from './targets.ts';

describeConformance('the sources on the embedded AWS', startEmbedded);
describeConformance('the bundle on the embedded AWS', startBundleOnEmbedded);
