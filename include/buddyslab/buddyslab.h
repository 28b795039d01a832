/* Everything libbuddyslab offers to C; each header may also be included alone. */
#ifndef BUDDYSLAB_BUDDYSLAB_H
#define BUDDYSLAB_BUDDYSLAB_H

#include <buddyslab/cma.h>
#include <buddyslab/export.h>
#include <buddyslab/gfp.h>
#include <buddyslab/heap.h>
#include <buddyslab/kmalloc.h>
#include <buddyslab/kmem_cache.h>
#include <buddyslab/malloc.h>
#include <buddyslab/pages.h>
#include <buddyslab/params.h>
#include <buddyslab/shrinker.h>
#include <buddyslab/stats.h>
#include <buddyslab/version.h>
#include <buddyslab/vmalloc.h>

#endif
