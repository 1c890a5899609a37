/* CPUs that a control group lets this process use. */
#ifndef EDGE_QUOTA_H
#define EDGE_QUOTA_H

/* 0 where there is no limit.  root: "" for this machine; a tree with proc and sys in tests. */
double edge_cpu_quota(const char *root);

#endif
