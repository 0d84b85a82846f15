// SPDX-License-Identifier: GPL-2.0-only
/*
 * General notification queue: filters
 *
 * A filter is a list of rules.  A record enters the queue if any rule accepts it.
 * watch_filter_passes() evaluates the rules for every post, so they are validated
 * once, when the filter is set.
 */

#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "watch_queue_internal.h"

static_assert(sizeof(struct watch_notification_type_filter) == 44);
static_assert(sizeof(struct watch_notification_filter) == 8);

static bool watch_filter_type_known(u32 type)
{
	return type < WATCH_TYPE__NR || type == WATCH_TYPE_TRIAL_NOTIFY;
}

/**
 * watch_filter_check - validate the rules of a filter and drop useless ones
 * @filter: the filter; rules for unknown types are dropped
 *
 * Context: Any.
 * Return: 0, or -EINVAL if the mask of a rule includes the length, or its value has
 * bits outside the mask.
 */
int watch_filter_check(struct watch_filter *filter)
{
	struct watch_notification_type_filter *rule = filter->rules;
	u32 kept = 0;

	for (u32 i = 0; i < filter->nr_rules; i++, rule++) {
		if ((rule->info_filter & ~rule->info_mask) ||
		    (rule->info_mask & WATCH_INFO_LENGTH))
			return -EINVAL;
		if (watch_filter_type_known(rule->type))
			filter->rules[kept++] = *rule;
	}

	filter->nr_rules = kept;
	return 0;
}

/**
 * watch_filter_copy - copy a filter from user space
 * @arg: the argument of IOC_WATCH_QUEUE_SET_FILTER
 *
 * Context: Process context.  May sleep.
 * Return: A filter, to be freed with kfree(), or
 *
 * * ERR_PTR(-EFAULT) - @arg cannot be read
 * * ERR_PTR(-EINVAL) - no rules, too many rules, a reserved member that is not 0, or
 *   an invalid rule
 * * ERR_PTR(-ENOMEM) - out of memory
 */
struct watch_filter *
watch_filter_copy(const struct watch_notification_filter __user *arg)
{
	struct watch_notification_filter header;
	struct watch_filter *filter;
	int ret;

	if (copy_from_user(&header, arg, sizeof(header)))
		return ERR_PTR(-EFAULT);
	if (header.nr_filters == 0 ||
	    header.nr_filters > WATCH_FILTER_MAX_RULES || header.__reserved)
		return ERR_PTR(-EINVAL);

	filter = kzalloc(struct_size(filter, rules, header.nr_filters),
			 GFP_KERNEL_ACCOUNT);
	if (!filter)
		return ERR_PTR(-ENOMEM);

	filter->nr_rules = header.nr_filters;
	if (copy_from_user(filter->rules, arg->filters,
			   flex_array_size(filter, rules, filter->nr_rules)))
		ret = -EFAULT;
	else
		ret = watch_filter_check(filter);
	if (ret) {
		kfree(filter);
		return ERR_PTR(ret);
	}

	return filter;
}
