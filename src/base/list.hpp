#pragma once

/// Intrusive doubly-linked list, as the kernel's <linux/list.h>.
///
/// A head is a node that belongs to no element; an empty list is a head that points to itself.  A
/// zeroed head is empty too: every list may live in zero-initialised memory.

#include <cstddef>

namespace bsl
{

struct list_head
{
    list_head* next = nullptr;
    list_head* prev = nullptr;

    bool is_empty() const { return next == nullptr || next == this; }

    /// Is this node an element of some list?  remove() clears the links.
    bool is_linked() const { return next != nullptr; }

    void insert_front(list_head& node)
    {
        ready();
        link(node, *this, *next);
    }

    void insert_back(list_head& node)
    {
        ready();
        link(node, *prev, *this);
    }

    /// Moves all elements of another list behind this one's.
    void take_all(list_head& from)
    {
        if (from.is_empty())
            return;
        ready();
        from.next->prev = prev;
        prev->next = from.next;
        from.prev->next = this;
        prev = from.prev;
        from = {};
    }

    static void remove(list_head& node)
    {
        node.prev->next = node.next;
        node.next->prev = node.prev;
        node.next = nullptr;
        node.prev = nullptr;
    }

    /// First element, or nullptr.
    list_head* front() const { return is_empty() ? nullptr : next; }

private:
    void ready()
    {
        if (next == nullptr)
            next = prev = this;
    }

    static void link(list_head& node, list_head& before, list_head& after)
    {
        node.prev = &before;
        node.next = &after;
        before.next = &node;
        after.prev = &node;
    }
};

/// The element of type T that holds `node` as its member `Member`, as container_of().
template <typename T, list_head T::*Member>
T* list_entry(list_head* node)
{
    alignas(T) static char probe[sizeof(T)];
    const auto* at = &(reinterpret_cast<const T*>(probe)->*Member);
    const auto offset = reinterpret_cast<const char*>(at) - probe;
    return reinterpret_cast<T*>(reinterpret_cast<char*>(node) - offset);
}

/// Calls fn(T&) for every element; fn may remove the element it is given.
template <typename T, list_head T::*Member, typename Fn>
void list_for_each(list_head& head, Fn fn)
{
    if (head.is_empty())
        return;
    for (list_head *node = head.next, *after; node != &head; node = after) {
        after = node->next;
        fn(*list_entry<T, Member>(node));
    }
}

} // namespace bsl
