/// Building trees: a long-lived search tree, and beside it many short-lived trees that are built
/// from the top down, walked, and torn down.  Nodes are of one size, their order of death is that
/// of the tree.
///
/// Published: H. Boehm, J. Ellis, P. Kovac, GCBench (and the "binary-trees" of the Computer
/// Language Benchmarks Game, after it).
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

struct node
{
    node* left;
    node* right;
    std::uint64_t key;
};

node* build(int depth, std::uint64_t key)
{
    auto* root = new node{nullptr, nullptr, key};
    if (depth > 0) {
        root->left = build(depth - 1, 2 * key);
        root->right = build(depth - 1, 2 * key + 1);
    }
    return root;
}

std::uint64_t sum_of(const node* root)
{
    return root ? root->key + sum_of(root->left) + sum_of(root->right) : 0;
}

void destroy(node* root)
{
    if (!root)
        return;
    destroy(root->left);
    destroy(root->right);
    delete root;
}

/// Random keys: the shape is bushy, the order of allocation is not that of the tree.
void insert(node*& root, std::uint64_t key)
{
    node** link = &root;
    while (*link)
        link = key < (*link)->key ? &(*link)->left : &(*link)->right;
    *link = new node{nullptr, nullptr, key};
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const int threads = options.threads();
    const long work = options.number("work", 3'000'000);
    constexpr int depth = 12;
    constexpr long tree_nodes = (2L << depth) - 1;

    std::int64_t start = bench::now_ns();
    bench::run_threads(threads, [&](int index) {
        bench::random random(static_cast<std::uint64_t>(index) + 1);
        node* lasting = nullptr;
        std::uint64_t sum = 0;
        for (long done = 0; done < work / threads; done += tree_nodes) {
            node* passing = build(depth, 1);
            for (int i = 0; i < 500; ++i)
                insert(lasting, random.next());
            sum += sum_of(passing);
            destroy(passing);
        }
        bench::escape(&sum);
        destroy(lasting);
    });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("node", work, &elapsed, 1);
    report.print();
}
