#include "base/list.hpp"

#include <catch2/catch.hpp>
#include <list>
#include <random>
#include <vector>

using bsl::list_head;

namespace
{

struct element
{
    int before = 0; // so that the link is not at the element's start
    list_head link;
    int value = 0;
};

element* element_of(list_head* node)
{
    return bsl::list_entry<element, &element::link>(node);
}

std::vector<int> values(list_head& head)
{
    std::vector<int> found;
    bsl::list_for_each<element, &element::link>(head,
                                                [&](element& e) { found.push_back(e.value); });
    return found;
}

} // namespace

TEST_CASE("a zeroed list is empty")
{
    list_head head;
    CHECK(head.is_empty());
    CHECK(head.front() == nullptr);
    CHECK(values(head).empty());
}

TEST_CASE("a list that was emptied is empty")
{
    list_head head;
    element e;
    CHECK_FALSE(e.link.is_linked());
    head.insert_front(e.link);
    CHECK(e.link.is_linked());
    CHECK(head.front() == &e.link);
    CHECK(element_of(head.front()) == &e);
    list_head::remove(e.link);
    CHECK_FALSE(e.link.is_linked());
    CHECK(head.is_empty());
    CHECK(head.front() == nullptr);
}

TEST_CASE("a walk may remove the element it is at")
{
    list_head head;
    element e[10];
    for (int i = 0; i < 10; ++i) {
        e[i].value = i;
        head.insert_back(e[i].link);
    }
    bsl::list_for_each<element, &element::link>(head, [](element& at) {
        if (at.value % 3 == 0)
            list_head::remove(at.link);
    });
    CHECK(values(head) == std::vector<int>{1, 2, 4, 5, 7, 8});
}

TEST_CASE("random insertions and removals leave what std::list has")
{
    std::mt19937 random(1);
    list_head head;
    std::list<int> expected;
    std::vector<element> elements(100);
    for (int i = 0; i < 100; ++i)
        elements[static_cast<std::size_t>(i)].value = i;
    for (int step = 0; step < 20000; ++step) {
        element& e = elements[random() % elements.size()];
        if (e.link.is_linked()) {
            list_head::remove(e.link);
            expected.remove(e.value);
        } else if (random() % 2 == 0) {
            head.insert_front(e.link);
            expected.push_front(e.value);
        } else {
            head.insert_back(e.link);
            expected.push_back(e.value);
        }
        if (step % 50 == 0)
            REQUIRE(values(head) == std::vector<int>(expected.begin(), expected.end()));
    }
}

TEST_CASE("a list takes all elements of others behind its own")
{
    std::vector<element> elements(6);
    for (int i = 0; i < 6; ++i)
        elements[static_cast<std::size_t>(i)].value = i;
    list_head all;
    list_head other;
    all.take_all(other); // empty from empty
    CHECK(all.is_empty());
    for (std::size_t i = 0; i < 3; ++i)
        other.insert_back(elements[i].link);
    all.take_all(other);
    CHECK(other.is_empty());
    CHECK(values(all) == std::vector{0, 1, 2});
    all.take_all(other);
    for (std::size_t i = 3; i < 6; ++i)
        other.insert_back(elements[i].link);
    all.take_all(other);
    CHECK(values(all) == std::vector{0, 1, 2, 3, 4, 5});
    list_head::remove(elements[3].link);
    other.insert_back(elements[3].link);
    CHECK(values(all) == std::vector{0, 1, 2, 4, 5});
    CHECK(values(other) == std::vector{3});
}
